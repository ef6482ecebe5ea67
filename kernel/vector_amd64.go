//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

// bestLevel returns the widest instructions this CPU and its system offer.
func bestLevel() level {
	c := &cpu.X86
	switch avx2 := c.HasAVX2 && c.HasFMA; {
	case avx2 && c.HasAVX512F && c.HasAVX512DQ:
		return levelAVX512
	case avx2:
		return levelAVX2
	}
	return levelGo
}

// atLevel returns k by the instructions of level l, which this CPU must offer,
// or k itself when there is no such version of it.
func atLevel(k Kernel, l level) Kernel {
	if l == levelGo {
		return k
	}
	wide := l == levelAVX512
	switch k := k.(type) {
	case *arcsec:
		v := &vectorArcsec{*k, arcsecAVX2, arcsecDeltaAVX2}
		if wide {
			v.apply, v.applyDelta = arcsecAVX512, arcsecDeltaAVX512
		}
		return v
	case *affine:
		v := &vectorAffine{*k, affineAVX2, affineDeltaAVX2}
		if wide {
			v.apply, v.applyDelta = affineAVX512, affineDeltaAVX512
		}
		return v
	case *identity:
		v := &vectorIdentity{*k, copyDeltaAVX2}
		if wide {
			v.applyDelta = copyDeltaAVX512
		}
		return v
	}
	return k
}

// vectorArcsec is arcsec by the functions of one level.
type vectorArcsec struct {
	arcsec
	apply      func(p *angle, y, x *float64, n int)
	applyDelta func(p *angle, y, d, last, x *float64, n int)
}

var _ Kernel = (*vectorArcsec)(nil)

func (k *vectorArcsec) Apply(y, x []float64) {
	if y = y[:len(x)]; len(x) > 0 {
		k.apply(&k.angle, &y[0], &x[0], len(x))
	}
}

func (k *vectorArcsec) ApplyDelta(y, d, last, x []float64) {
	if y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]; len(x) > 0 {
		k.applyDelta(&k.angle, &y[0], &d[0], &last[0], &x[0], len(x))
	}
}

// vectorAffine is affine by the functions of one level.
type vectorAffine struct {
	affine
	apply      func(p *affine, y, x *float64, n int)
	applyDelta func(p *affine, y, d, last, x *float64, n int)
}

var _ Kernel = (*vectorAffine)(nil)

func (k *vectorAffine) Apply(y, x []float64) {
	if y = y[:len(x)]; len(x) > 0 {
		k.apply(&k.affine, &y[0], &x[0], len(x))
	}
}

func (k *vectorAffine) ApplyDelta(y, d, last, x []float64) {
	if y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]; len(x) > 0 {
		k.applyDelta(&k.affine, &y[0], &d[0], &last[0], &x[0], len(x))
	}
}

// vectorIdentity is identity and delta by the function of one level; without
// DELTA the runtime's copy does the work.
type vectorIdentity struct {
	identity
	applyDelta func(y, d, last, x *float64, n int)
}

var _ Kernel = (*vectorIdentity)(nil)

func (k *vectorIdentity) ApplyDelta(y, d, last, x []float64) {
	if y, d, last = y[:len(x)], d[:len(x)], last[:len(x)]; len(x) > 0 {
		k.applyDelta(&y[0], &d[0], &last[0], &x[0], len(x))
	}
}
