package inspection

import (
	"fmt"
	"math"

	"github.com/ndring/ndring/proto/nd"
)

// mostElements bounds how many elements of a frame are looked at.
const mostElements = 1 << 26

// Statistics are taken over the numbers of a frame; NaN counts apart. They are
// zero when there is none.
type Statistics struct {
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
	NaN  int     `json:"nan"`
	Inf  int     `json:"inf"`
}

// statistics goes over a once. Complex arrays, which have no order, and those with
// more than mostElements elements have none: the remark says so.
func statistics(a nd.Array) (s *Statistics, remark string) {
	if a.Len() > mostElements {
		return nil, fmt.Sprintf("%d elements are too many to look at", a.Len())
	}
	values, err := a.Float64s()
	if err != nil {
		return nil, ""
	}
	s = &Statistics{Min: math.Inf(1), Max: math.Inf(-1)}
	sum, finite := 0.0, 0
	for v := range values {
		switch {
		case v != v:
			s.NaN++
		case math.IsInf(v, 0):
			s.Inf++
		default:
			s.Min, s.Max = math.Min(s.Min, v), math.Max(s.Max, v)
			finite++
			sum += (v - sum) / float64(finite) // running mean: no overflow
		}
	}
	if s.Mean = sum; finite == 0 {
		s.Min, s.Max = 0, 0
	}
	return s, ""
}
