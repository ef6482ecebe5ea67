package bench

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longestNs bounds what a histogram holds; a longer time counts as this one.
const longestNs = 60_000_000_000

// partsOfNs is the unit the histogram counts in: 1 ns would be a coarse step between
// times of less than 100 ns.
const partsOfNs = 16

// Quantiles are those of a latency, in nanoseconds.
type Quantiles struct {
	P50, P99, P999 float64
}

// NewQuantiles computes the quantiles of times in nanoseconds through an HDR
// histogram of three significant digits. Of no times at all they are zero.
func NewQuantiles(timesNs []float64) (Quantiles, error) {
	h := hdrhistogram.New(1, longestNs*partsOfNs, 3)
	for _, t := range timesNs {
		parts := max(int64(math.Round(min(t, longestNs)*partsOfNs)), 1)
		if err := h.RecordValue(parts); err != nil {
			return Quantiles{}, fmt.Errorf("record a time of %v ns: %w", t, err)
		}
	}
	quantile := func(percent float64) float64 {
		return float64(h.ValueAtQuantile(percent)) / partsOfNs
	}
	return Quantiles{P50: quantile(50), P99: quantile(99), P999: quantile(99.9)}, nil
}

// Samples names the three quantiles of a figure: NAME_p50, NAME_p99 and
// NAME_p999.
func (q Quantiles) Samples(name string) []Sample {
	return []Sample{
		{Name: name + "_p50", Unit: "ns", Value: q.P50},
		{Name: name + "_p99", Unit: "ns", Value: q.P99},
		{Name: name + "_p999", Unit: "ns", Value: q.P999},
	}
}
