//go:build !noasm

package kernel

//go:noescape
func arcsecAVX512(a *angle, y, x *float64, n int)

//go:noescape
func arcsecDeltaAVX512(a *angle, y, d, last, x *float64, n int)

// wideArcsec is arcsec by AVX-512.
type wideArcsec struct{ arcsec }

func (k *wideArcsec) Apply(y, x []float64) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	arcsecAVX512(&k.angle, &y[0], &x[0], len(x))
}

func (k *wideArcsec) ApplyDelta(y, d, last, x []float64) {
	if len(x) == 0 {
		return
	}
	y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]
	arcsecDeltaAVX512(&k.angle, &y[0], &d[0], &last[0], &x[0], len(x))
}
