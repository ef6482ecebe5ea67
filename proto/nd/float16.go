package nd

import "math"

// Float16 is an IEEE 754 binary16 number as bits: sign, 5 exponent bits with
// bias 15, 10 fraction bits. Go has no such type; convert to compute.
type Float16 uint16

// Float32 returns the value of h, which float32 represents exactly. The bits of
// a NaN's payload are kept.
func (h Float16) Float32() float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h & 0x3ff)
	switch exp {
	case 0: // zero or subnormal: frac * 2^-24, exact in float32
		v := float32(frac) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(v))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	default:
		return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
	}
}

// FromFloat32 returns the Float16 nearest to f, ties to the even one. From 65520
// on the magnitude rounds to infinity; a NaN stays one and keeps the upper ten
// bits of its payload where they are not all zero.
func FromFloat32(f float32) Float16 {
	b := math.Float32bits(f)
	sign := Float16(b>>16) & 0x8000
	mag := b & 0x7fffffff
	switch {
	case mag > 0x7f800000:
		payload := Float16(mag>>13) & 0x3ff
		if payload == 0 {
			payload = 1
		}
		return sign | 0x7c00 | payload
	case mag >= 0x477ff000: // 65520, half way between 65504 and 2^16
		return sign | 0x7c00
	case mag >= 0x38800000: // 2^-14, the least normal
		return sign | Float16(roundShift(mag-(127-15)<<23, 13))
	case mag < 0x33000000: // below 2^-25, half of the least subnormal
		return sign
	default:
		frac := mag&0x7fffff | 0x800000
		return sign | Float16(roundShift(frac, 126-mag>>23))
	}
}

// roundShift returns v / 2^n rounded to nearest, ties to even. A carry out of
// the fraction raises the exponent above it, which is the right next number.
func roundShift(v, n uint32) uint32 {
	half := uint32(1)<<(n-1) - 1
	return (v + half + v>>n&1) >> n
}

// FromFloat64 returns the Float16 nearest to f, rounded once. It narrows to
// float32 by rounding to odd, which keeps every bit the second rounding needs.
func FromFloat64(f float64) Float16 {
	n := float32(f)
	if w := float64(n); w != f && !math.IsNaN(f) && !math.IsInf(w, 0) {
		b := math.Float32bits(n)
		if math.Abs(w) > math.Abs(f) {
			b-- // truncate towards zero
		}
		n = math.Float32frombits(b | 1)
	}
	return FromFloat32(n)
}
