package kernel

import (
	"fmt"
	"strings"
)

// Params holds what kernels are built from. Each kernel takes what it needs
// and ignores the rest. The zero value means the defaults.
type Params struct {
	Model  Model   // no points at all means DefaultModel()
	Scale  float64 // factor of affine; 0 means 1
	Offset float64 // summand of affine
}

// Entry describes one kernel of the registry. New builds its plain Go version;
// the error wraps [ErrModel] or [ErrParams].
type Entry struct {
	Name, Doc string
	New       func(Params) (Kernel, error)
}

// Registry returns all kernels, sorted by name. The caller owns the slice.
func Registry() []Entry {
	return []Entry{
		{"affine", "scale*x + offset", newAffine},
		{"arcsec", "arccos(1/clip(x, 1.0001)) * mean(fy), the quotient rounded to float64", newArcsec},
		{"asec", "true arcsecant of clip(x, 1.0001), times mean(fy)", newAsec},
		{"delta", "x unchanged; its DELTA output is x minus the x before", newDelta},
		{"identity", "x unchanged", newIdentity},
		{"interp", "piecewise linear through the points (fx, fy), constant outside", newInterp},
	}
}

// New returns the kernel of that name, by the widest vector instructions of this
// CPU for which a version exists; results have the same bits with each. An unknown name gives an error that
// wraps [ErrUnknownKernel] and lists the known ones; parameters that do not fit
// give one that wraps [ErrModel] or [ErrParams].
func New(name string, p Params) (Kernel, error) {
	entries := Registry()
	known := make([]string, len(entries))
	for i, e := range entries {
		if e.Name != name {
			known[i] = e.Name
			continue
		}
		k, err := e.New(p)
		if err != nil {
			return nil, fmt.Errorf("kernel %s: %w", name, err)
		}
		return atLevel(k, bestLevel()), nil
	}
	return nil, fmt.Errorf("kernel %q: %w: known are %s", name, ErrUnknownKernel, strings.Join(known, ", "))
}

// withDefaults fills in what p leaves out and checks the model.
func (p Params) withDefaults() (Params, error) {
	if len(p.Model.Fx) == 0 && len(p.Model.Fy) == 0 {
		p.Model = DefaultModel()
	}
	if p.Scale == 0 {
		p.Scale = 1
	}
	if !finite(p.Scale) || !finite(p.Offset) {
		return p, fmt.Errorf("%w: scale %v, offset %v: give finite numbers", ErrParams, p.Scale, p.Offset)
	}
	return p, p.Model.Validate()
}
