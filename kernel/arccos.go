package kernel

import (
	"fmt"
	"math"
)

const (
	clipMin = 1.0001 // smaller x count as this
	half    = 0.5    // at and above it arccos takes the root

	halfPiHigh = 0x1.921fb54442d18p+0  // π/2 rounded to float64
	halfPiLow  = 0x1.1a62633145c07p-54 // π/2 minus that, rounded
)

// Coefficients of P(z) = (asin(√z)−√z)/(z√z) on [0, 1/4], lowest power first:
// the polynomial of degree 12 that meets P in the Chebyshev nodes of that
// interval, rounded to float64. Its error times z is below 2^-57.
const (
	asin0  = 0x1.5555555555556p-3
	asin1  = 0x1.3333333332ecap-4
	asin2  = 0x1.6db6db6e31f13p-5
	asin3  = 0x1.f1c71c1db0623p-6
	asin4  = 0x1.6e8bb1c8209a2p-6
	asin5  = 0x1.1c4d35cf95421p-6
	asin6  = 0x1.c9cf07674736ap-7
	asin7  = 0x1.782651caa6546p-7
	asin8  = 0x1.52420b04b37c6p-7
	asin9  = 0x1.65a9c4dfcf86ep-8
	asin10 = 0x1.1d1894083151ep-6
	asin11 = -0x1.e6aaa8a0a0563p-7
	asin12 = 0x1.d72b2bc81562cp-6
)

// asinTail returns P(z) for 0 ≤ z ≤ 1/4: even and odd powers in two chains of
// fused operations, because one chain waits for itself.
func asinTail(z float64) float64 {
	w := z * z
	even := math.FMA(asin12, w, asin10)
	odd := math.FMA(asin11, w, asin9)
	even = math.FMA(even, w, asin8)
	odd = math.FMA(odd, w, asin7)
	even = math.FMA(even, w, asin6)
	odd = math.FMA(odd, w, asin5)
	even = math.FMA(even, w, asin4)
	odd = math.FMA(odd, w, asin3)
	even = math.FMA(even, w, asin2)
	odd = math.FMA(odd, w, asin1)
	even = math.FMA(even, w, asin0)
	return math.FMA(odd, z, even)
}

// angle holds the factor m of an inverse trigonometric kernel in the forms its
// formula needs. Assembly reads it by offset: four float64 in this order.
type angle struct {
	minus float64 // -m
	twice float64 // 2m
	high  float64 // m·π/2 rounded
	low   float64 // m·π/2 minus high
}

// newAngle returns the factor mean(fy) of the model, or an error that wraps
// ErrModel when results would overflow.
func newAngle(model Model) (angle, error) {
	m := mean(model.Fy)
	a := angle{minus: -m, twice: 2 * m, high: m * halfPiHigh}
	if !finite(a.twice) || !finite(a.high) {
		return angle{}, fmt.Errorf("%w: mean(fy) = %v is too large: results would overflow", ErrModel, m)
	}
	a.low = math.FMA(m, halfPiLow, math.FMA(m, halfPiHigh, -a.high))
	return a, nil
}

// arccos returns m·arccos(q) for 0 ≤ q ≤ 1/clipMin, and NaN for NaN.
func (a *angle) arccos(q float64) float64 {
	if q < half {
		z := q * q
		kza := a.minus * z * q
		return a.high + math.FMA(a.minus, q, math.FMA(kza, asinTail(z), a.low))
	}
	z := math.FMA(-0.5, q, 0.5)
	s := math.Sqrt(z)
	kza := a.twice * z * s
	return math.FMA(a.twice, s, kza*asinTail(z))
}
