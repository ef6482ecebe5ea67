package kernel

// affine is scale·x + offset, the product rounded before the sum as in NumPy,
// so that every version and every language gives the same bits.
type affine struct {
	scale, offset float64
}

var _ Kernel = (*affine)(nil)

func newAffine(p Params) (Kernel, error) {
	p, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	return &affine{scale: p.Scale, offset: p.Offset}, nil
}

func (k *affine) Name() string { return "affine" }

func (k *affine) Apply(y, x []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float64(k.scale*v) + k.offset
	}
}

func (k *affine) ApplyDelta(y, d, last, x []float64) {
	y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]
	for i, v := range x {
		v = float64(k.scale*v) + k.offset
		y[i] = v
		d[i] = v - last[i]
		last[i] = v
	}
}
