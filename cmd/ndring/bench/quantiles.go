package bench

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longestNs bounds what a histogram holds; a longer time counts as this one.
const longestNs = 60_000_000_000

// Quantiles are those of a latency, in nanoseconds.
type Quantiles struct {
	P50, P99, P999 float64
}

// NewQuantiles computes the quantiles of times in nanoseconds through an HDR
// histogram of three significant digits. Of no times at all they are zero.
func NewQuantiles(timesNs []float64) (Quantiles, error) {
	h := hdrhistogram.New(1, longestNs, 3)
	for _, t := range timesNs {
		ns := min(max(int64(math.Round(t)), 1), longestNs)
		if err := h.RecordValue(ns); err != nil {
			return Quantiles{}, fmt.Errorf("record a time of %d ns: %w", ns, err)
		}
	}
	return Quantiles{
		P50:  float64(h.ValueAtQuantile(50)),
		P99:  float64(h.ValueAtQuantile(99)),
		P999: float64(h.ValueAtQuantile(99.9)),
	}, nil
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
