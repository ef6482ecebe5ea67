package kernel

// arcsec is arccos(1/clip(x, 1.0001)) · mean(fy) with the quotient rounded to
// float64, as the seed protocol has it. It is the reference for the vector
// versions, which return the same bits.
type arcsec struct {
	angle angle
}

var _ Kernel = (*arcsec)(nil)

func newArcsec(p Params) (Kernel, error) {
	p, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	a, err := newAngle(p.Model)
	if err != nil {
		return nil, err
	}
	return &arcsec{angle: a}, nil
}

func (k *arcsec) Name() string { return "arcsec" }

func (k *arcsec) Apply(y, x []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = k.angle.arccos(1 / clip(v))
	}
}

func (k *arcsec) ApplyDelta(y, d, last, x []float64) {
	y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]
	for i, v := range x {
		v = k.angle.arccos(1 / clip(v))
		y[i] = v
		d[i] = v - last[i]
		last[i] = v
	}
}

// clip returns x, at least clipMin; NaN stays NaN.
func clip(x float64) float64 {
	if x < clipMin {
		return clipMin
	}
	return x
}
