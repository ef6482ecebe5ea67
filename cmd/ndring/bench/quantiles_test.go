package bench

import (
	"math"
	"testing"
)

// Check that quantiles of 1…10000 are right to the histogram's three digits.
func TestQuantiles(t *testing.T) {
	times := make([]float64, 10_000)
	for i := range times {
		times[i] = float64(10_000 - i)
	}
	q, err := NewQuantiles(times)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want float64 }{{q.P50, 5000}, {q.P99, 9900}, {q.P999, 9990}} {
		if math.Abs(c.got-c.want) > c.want/1000 {
			t.Errorf("quantile is %v, want %v to a part in 1000", c.got, c.want)
		}
	}
}

// Check that times outside the histogram's range are held by its ends and do
// not fail.
func TestQuantilesClamp(t *testing.T) {
	q, err := NewQuantiles([]float64{-3, 0.01, 1e18})
	if err != nil {
		t.Fatal(err)
	}
	if q.P50 != 1.0/partsOfNs || math.Abs(q.P999-longestNs) > longestNs/1000 {
		t.Errorf("quantiles are %+v, want 1/%d and %d", q, partsOfNs, int64(longestNs))
	}
}

// Check that no times at all give zeros.
func TestQuantilesOfNothing(t *testing.T) {
	if q, err := NewQuantiles(nil); err != nil || q != (Quantiles{}) {
		t.Errorf("quantiles of nothing are %+v, %v", q, err)
	}
}
