package provenance

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ndring/ndring/proto"
)

// Kinds of sources. From KindNPY on they carry data from elsewhere.
const (
	KindLinspace = "linspace"
	KindSine     = "sine"
	KindRandom   = "random"
	KindNPY      = "npy"
	KindStdin    = "stdin"
	KindTCP      = "tcp"   // clients of a bridge
	KindMixed    = "mixed" // several rings that differ
	KindForeign  = "foreign"
)

// Source computes frames from their number.
type Source struct {
	Kind   string `json:"kind"`
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	Period int    `json:"period,omitempty"` // elements, for sine
	Seed   uint64 `json:"seed,omitempty"`   // for random
}

// Check reports whether frames of the source can be computed. The error wraps
// ErrUnknown or proto.ErrShape.
func (s Source) Check() error {
	switch s.Kind {
	case KindLinspace, KindRandom:
	case KindSine:
		if s.Period <= 0 {
			return fmt.Errorf("sine source of period %d: %w", s.Period, ErrUnknown)
		}
	default:
		return fmt.Errorf("the ring's values come from source %q: %w", s.Kind, ErrUnknown)
	}
	_, err := proto.ParseDType(s.DType)
	return err
}

// Fill computes the elements of frame n as float64.
func (s Source) Fill(x []float64, n uint64) {
	switch s.Kind {
	case KindLinspace:
		linspace(x, float64(n)+1)
	case KindSine:
		s.sine(x, n)
	case KindRandom:
		random(x, s.Seed, n)
	}
}

// linspace fills x from start to start+1. The step form is NumPy's.
func linspace(x []float64, start float64) {
	if len(x) == 0 {
		return
	}
	step := 1 / float64(max(1, len(x)-1))
	for i := range x {
		x[i] = start + float64(i)*step
	}
	if len(x) > 1 {
		x[len(x)-1] = start + 1
	}
}

func (s Source) sine(x []float64, n uint64) {
	period := uint64(s.Period)
	phase := n % period * (uint64(len(x)) % period) % period
	for i := range x {
		x[i] = math.Sin(2 * math.Pi * float64(phase) / float64(period))
		if phase++; phase == period {
			phase = 0
		}
	}
}

func random(x []float64, seed, n uint64) {
	var g rand.PCG
	g.Seed(seed, n)
	r := rand.New(&g)
	for i := range x {
		x[i] = 1 + 9*r.Float64()
	}
}
