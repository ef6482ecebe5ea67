package kernel

import "math"

// asec is the arcsecant of clip(x, 1.0001) times mean(fy). It differs from
// arcsec in what it does with 1/x: the rounding error of the quotient is
// computed and carried along, since near x = 1 it moves the result by up to
// about two thousand units in the last place.
type asec struct {
	angle angle
}

var _ Kernel = (*asec)(nil)

func newAsec(p Params) (Kernel, error) {
	p, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	a, err := newAngle(p.Model)
	if err != nil {
		return nil, err
	}
	return &asec{angle: a}, nil
}

func (k *asec) Name() string { return "asec" }

func (k *asec) Apply(y, x []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = k.angle.arcsec(clip(v))
	}
}

func (k *asec) ApplyDelta(y, d, last, x []float64) {
	y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]
	for i, v := range x {
		v = k.angle.arcsec(clip(v))
		y[i] = v
		d[i] = v - last[i]
		last[i] = v
	}
}

// farX is where arcsec(x) and π/2 - 1/x are the same number; beyond it the
// residual of the quotient need not be, and for +Inf cannot be, computed.
const farX = 0x1p60

// arcsec returns m·arcsec(x) for x ≥ clipMin, and NaN for NaN.
func (a *angle) arcsec(x float64) float64 {
	switch {
	case x > farX:
		return a.high + math.FMA(a.minus, 1/x, a.low)
	case x > 2:
		return a.arcsecFar(x)
	}
	return a.arcsecNear(x)
}

// arcsecFar returns m·(π/2 − asin(q + e)) where q is 1/x rounded and e its error.
// asin(q + e) = asin(q) + e·(1−q²)^(-1/2), the root by the start of its series.
func (a *angle) arcsecFar(x float64) float64 {
	q := 1 / x
	e := math.FMA(-q, x, 1) * q
	z := q * q
	slope := math.FMA(math.FMA(0.375, z, 0.5), z, 1)
	tail := math.FMA(e, slope, z*q*asinTail(z))
	return a.high + math.FMA(a.minus, q, math.FMA(a.minus, tail, a.low))
}

// arcsecNear returns 2m·asin(√((x−1)/2x)) for x ≤ 2, where x−1 is exact. The
// errors of the quotient and of the root enter as one correction of the root.
func (a *angle) arcsecNear(x float64) float64 {
	numerator, denominator := x-1, 2*x
	z := numerator / denominator
	e := math.FMA(-z, denominator, numerator) / denominator
	s := math.Sqrt(z)
	c := (math.FMA(-s, s, z) + e) / (2 * s)
	tail := math.FMA(z*s, asinTail(z), c)
	return math.FMA(a.twice, s, a.twice*tail)
}
