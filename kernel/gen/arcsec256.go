package main

// The AVX2 arcsec works on one vector of four, in these registers.
const (
	s256    = "Y0" // x, then q, then the result
	z256    = "Y1"
	h256    = "Y2" // the root, or q
	w256    = "Y3"
	even256 = "Y4"
	odd256  = "Y5"
	k256    = "Y6"
	near256 = "Y7" // all ones in lanes with q < 1/2
)

// row256 is the memory operand of one constant, repeated four times.
func row256(row int) string { return f("arcsec256<>+%d(SB)", 32*row) }

// arcsec256Vector turns x in s256 into m·arccos(1/clip(x)). The divider and the
// square root unit take longer than everything else together.
func arcsec256Vector() []string {
	fma := func(chain string, i int) string {
		return f("VFMADD213PD %s, %s, %s", row256(rowAsin+i), w256, chain)
	}
	return []string{
		f("VMOVUPD %s, %s", row256(rowClip), z256),
		// The maximum returns its last operand, x, when one is NaN.
		f("VMAXPD %s, %s, %s", s256, z256, s256),
		f("VMOVUPD %s, %s", row256(rowOne), z256),
		f("VDIVPD %s, %s, %s", s256, z256, s256),
		// z = 1/2 − q/2, or q² where q < 1/2.
		f("VMOVUPD %s, %s", row256(rowHalf), z256),
		f("VCMPPD $17, %s, %s, %s", z256, s256, near256),
		f("VFNMADD231PD %s, %s, %s", row256(rowHalf), s256, z256),
		f("VSQRTPD %s, %s", z256, h256),
		f("VMULPD %s, %s, %s", s256, s256, w256),
		f("VBLENDVPD %s, %s, %s, %s", near256, w256, z256, z256),
		f("VMULPD %s, %s, %s", z256, z256, w256),
		f("VBROADCASTSD %s, %s", angleTwice, k256),
		f("VBROADCASTSD %s, %s", angleMinus, even256),
		f("VBLENDVPD %s, %s, %s, %s", near256, even256, k256, k256),
		f("VMOVUPD %s, %s", row256(rowAsin+12), even256),
		f("VMOVUPD %s, %s", row256(rowAsin+11), odd256),
		fma(even256, 10), fma(odd256, 9),
		fma(even256, 8), fma(odd256, 7),
		fma(even256, 6), fma(odd256, 5),
		fma(even256, 4), fma(odd256, 3),
		fma(even256, 2), fma(odd256, 1),
		fma(even256, 0),
		f("VFMADD213PD %s, %s, %s", even256, z256, odd256), // odd is P
		f("VMULPD %s, %s, %s", z256, k256, z256),
		f("VBROADCASTSD %s, %s", angleLow, w256),
		f("VANDPD %s, %s, %s", w256, near256, w256),
		f("VBLENDVPD %s, %s, %s, %s", near256, s256, h256, h256),
		// base + (k·s + (k·z·s·P + low))
		f("VMULPD %s, %s, %s", h256, z256, z256),
		f("VFMADD231PD %s, %s, %s", odd256, z256, w256),
		f("VFMADD213PD %s, %s, %s", w256, k256, h256),
		f("VBROADCASTSD %s, %s", angleHigh, even256),
		f("VADDPD %s, %s, %s", h256, even256, even256),
		f("VBLENDVPD %s, %s, %s, %s", near256, even256, h256, s256),
	}
}

// arcsec256 writes one function: vectors of four, then the last n%4 elements in
// pieces of two and one.
func (l *listing) arcsec256(delta bool) {
	l.function("arcsec", "AVX2", "angle", delta)
	l.op("SUBQ $4, CX")
	l.op("JLT rest")
	l.label("vector")
	l.op("VMOVUPD (SI), %s", s256)
	l.ops(arcsec256Vector())
	l.ops(storeVector(delta, s256, z256, 0))
	l.advance(32, delta)
	l.op("SUBQ $4, CX")
	l.op("JGE vector")
	l.label("rest")
	l.op("ADDQ $4, CX")
	l.op("JZ done")
	l.op("VXORPD %s, %s, %s", s256, s256, s256)
	l.pieces("load", []int{2, 1}, func(bit int) []string {
		if bit == 2 {
			return []string{f("VMOVUPD (SI)(R10*1), %s", part(s256, "X"))}
		}
		return []string{f("VMOVSD (SI)(R10*1), %s", part(z256, "X")),
			f("VINSERTF128 $1, %s, %s, %s", part(z256, "X"), s256, s256)}
	})
	l.ops(arcsec256Vector())
	l.pieces("store", []int{2, 1}, func(bit int) []string {
		if bit == 2 {
			return storePiece(delta, bit, part(s256, "X"), part(z256, "X"))
		}
		return append([]string{f("VEXTRACTF128 $1, %s, %s", s256, part(h256, "X"))},
			storePiece(delta, bit, part(h256, "X"), part(z256, "X"))...)
	})
	l.label("done")
	l.op("VZEROUPPER")
	l.op("RET")
}

func arcsecAVX2() string {
	l := new(listing)
	l.WriteString(header)
	l.table("arcsec256", 4, constants()...)
	l.arcsec256(false)
	l.arcsec256(true)
	return l.String()
}
