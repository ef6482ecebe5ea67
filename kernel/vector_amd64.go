//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

// bestLevel returns the widest instructions this CPU and its system offer.
func bestLevel() level {
	c := &cpu.X86
	switch avx2 := c.HasAVX2 && c.HasFMA && c.HasBMI2; {
	case avx2 && c.HasAVX512F && c.HasAVX512DQ && c.HasAVX512VL:
		return levelAVX512
	case avx2:
		return levelAVX2
	}
	return levelGo
}

// vectorArcsec returns arcsec for a level that this CPU must offer.
func vectorArcsec(a angle, l level) Kernel {
	switch l {
	case levelAVX512:
		return &wideArcsec{arcsec{a}}
	}
	return &arcsec{angle: a}
}
