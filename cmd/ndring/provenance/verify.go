package provenance

import (
	"fmt"
	"math"

	"github.com/ndring/ndring/kernel"
)

// Verifier recomputes the frames of one stream, in order. It is for one goroutine.
type Verifier struct {
	source  Source
	kernels []kernel.Kernel
	frame   uint64 // source frame that primary belongs to
	started bool
	primary []float64
	before  []float64
}

// NewVerifier returns a verifier for a ring's provenance. Errors wrap ErrUnknown
// or kernel.ErrUnknownKernel.
func NewVerifier(p Provenance) (*Verifier, error) {
	if err := p.Source.Check(); err != nil {
		return nil, err
	}
	v := &Verifier{source: p.Source}
	for _, s := range p.Chain {
		k, err := kernel.New(s.Kernel, s.Params())
		if err != nil {
			return nil, err
		}
		v.kernels = append(v.kernels, k)
	}
	return v, nil
}

// Primary checks the values of the PRIMARY frame made of source frame n, bit for
// bit.
func (v *Verifier) Primary(n uint64, got []float64) error {
	v.before, v.primary = v.primary, v.before
	if cap(v.primary) < len(got) {
		v.primary = make([]float64, len(got))
	}
	v.primary = v.primary[:len(got)]
	v.frame, v.started = n, true
	v.source.Fill(v.primary, n)
	for _, k := range v.kernels {
		k.Apply(v.primary, v.primary)
	}
	return compare("PRIMARY", n, got, v.primary)
}

// Delta checks the DELTA frame of the PRIMARY checked last: previous PRIMARY +
// DELTA gives the current PRIMARY, and DELTA is their rounded difference, bit for
// bit.
func (v *Verifier) Delta(n uint64, got []float64) error {
	if !v.started || v.frame != n || len(v.before) != len(got) {
		return fmt.Errorf("DELTA of frame %d without two PRIMARY frames of %d values before it", n, len(got))
	}
	for i, d := range got {
		want := v.primary[i] - v.before[i]
		if math.Float64bits(d) != math.Float64bits(want) {
			return fmt.Errorf("DELTA of frame %d: value %d is %v, want %v", n, i, d, want)
		}
	}
	return nil
}

func compare(what string, n uint64, got, want []float64) error {
	for i, x := range got {
		if math.Float64bits(x) != math.Float64bits(want[i]) {
			return fmt.Errorf("%s of frame %d: value %d is %v, want %v", what, n, i, x, want[i])
		}
	}
	return nil
}
