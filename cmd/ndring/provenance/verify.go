package provenance

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// recomputer computes what the frames of one ring must hold.
type recomputer struct {
	source  Source
	dtype   proto.DType
	kernels []kernel.Kernel
	delta   bool // the last stage sends DELTA
	packed  []byte
}

// newRecomputer prepares the kernels of a chain. Errors wrap ErrUnknown,
// proto.ErrShape or those of package kernel.
func newRecomputer(p Provenance) (*recomputer, error) {
	if err := p.Source.Check(); err != nil {
		return nil, err
	}
	dt, err := proto.ParseDType(p.Source.DType)
	if err != nil {
		return nil, err
	}
	r := &recomputer{source: p.Source, dtype: dt}
	for _, s := range p.Chain {
		if dt != proto.F64 {
			return nil, fmt.Errorf("kernel %s after a source of %v: %w", s.Kernel, dt, ErrUnknown)
		}
		if s.Abridged {
			return nil, fmt.Errorf("the model of kernel %s was too long for the ring's metadata: %w", s.Kernel, ErrUnknown)
		}
		k, err := kernel.New(s.Kernel, s.Params())
		if err != nil {
			return nil, err
		}
		r.kernels = append(r.kernels, k)
		r.delta = !s.NoDelta
	}
	return r, nil
}

// primary computes the values of frame n into x, which is resized and returned.
func (r *recomputer) primary(x []float64, n uint64, count int) []float64 {
	x = slices.Grow(x[:0], count)[:count]
	r.source.Fill(x, n)
	for _, k := range r.kernels {
		k.Apply(x, x)
	}
	return x
}

// check compares an array with want, bit for bit. Where the source is not of f64,
// want is converted first.
func (r *recomputer) check(what string, n uint64, a nd.Array, want []float64) error {
	if a.DType() != r.dtype {
		return fmt.Errorf("%s of frame %d is of %v, want %v: %w", what, n, a.DType(), r.dtype, ErrDiffers)
	}
	if r.dtype != proto.F64 {
		return r.checkBytes(what, n, a, want)
	}
	got, err := nd.Slice[float64](a)
	if err != nil {
		return fmt.Errorf("%s of frame %d: %w", what, n, err)
	}
	for i, x := range got {
		if !same(x, want[i]) {
			return fmt.Errorf("%s of frame %d: value %d is %v, want %v: %w", what, n, i, x, want[i], ErrDiffers)
		}
	}
	return nil
}

func (r *recomputer) checkBytes(what string, n uint64, a nd.Array, want []float64) error {
	size := r.dtype.Size()
	r.packed = slices.Grow(r.packed[:0], len(want)*size)[:len(want)*size]
	Convert(r.packed, r.dtype, want)
	got, err := a.Contents()
	if err != nil {
		return fmt.Errorf("%s of frame %d: %w", what, n, err)
	}
	for i := range want {
		if g, w := got[i*size:][:size], r.packed[i*size:][:size]; !bytes.Equal(g, w) {
			return fmt.Errorf("%s of frame %d: value %d has bytes %x, want %x: %w", what, n, i, g, w, ErrDiffers)
		}
	}
	return nil
}

// same compares bits; NaN equals NaN, since its payload is no part of the contract.
func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}
