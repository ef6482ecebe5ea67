package kernel

import "fmt"

// interp draws straight lines through the points of a model and continues them
// as constants on both sides: numpy.interp(x, fx, fy), with the same operations.
type interp struct {
	fx, fy []float64
	slope  []float64 // of the line from point i to point i+1
}

var _ Kernel = (*interp)(nil)

func newInterp(p Params) (Kernel, error) {
	p, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	k := &interp{
		fx:    append([]float64(nil), p.Model.Fx...),
		fy:    append([]float64(nil), p.Model.Fy...),
		slope: make([]float64, len(p.Model.Fx)-1),
	}
	for i := range k.slope {
		k.slope[i] = (k.fy[i+1] - k.fy[i]) / (k.fx[i+1] - k.fx[i])
		if !finite(k.slope[i]) {
			return nil, fmt.Errorf("%w: the slope between points %d and %d overflows: move them apart", ErrModel, i, i+1)
		}
	}
	return k, nil
}

func (k *interp) Name() string { return "interp" }

func (k *interp) Apply(y, x []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = k.at(v)
	}
}

func (k *interp) ApplyDelta(y, d, last, x []float64) {
	y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]
	for i, v := range x {
		v = k.at(v)
		y[i] = v
		d[i] = v - last[i]
		last[i] = v
	}
}

// at returns the value at x: fy of the end beyond an end, NaN for NaN.
func (k *interp) at(x float64) float64 {
	end := len(k.fx) - 1
	switch {
	case x != x:
		return x
	case x < k.fx[0]:
		return k.fy[0]
	case x >= k.fx[end]:
		return k.fy[end]
	}
	j := k.segment(x)
	// The conversion keeps compilers from fusing: NumPy rounds the product.
	return float64(k.slope[j]*(x-k.fx[j])) + k.fy[j]
}

// segment returns the j with fx[j] ≤ x < fx[j+1]; the caller has checked that
// there is one. Halving a length instead of moving two ends leaves one
// comparison a turn, which needs no branch.
func (k *interp) segment(x float64) int {
	j := 0
	for n := len(k.slope); n > 1; {
		h := n / 2
		if k.fx[j+h] <= x {
			j += h
		}
		n -= h
	}
	return j
}
