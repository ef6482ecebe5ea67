package main

import "fmt"

// Registers with constants that instructions need in a register.
const (
	clip512 = "Z29"
	one512  = "Z30"
	half512 = "Z31"
)

// stream512 is one vector of the AVX-512 arcsec: registers by role.
type stream512 struct {
	s, z, h, r, e, w, even, odd string // s holds x, then q, then q or the root
	root, series                string // masks of lanes with q ≥ 1/2 and q < 1/2
}

// newStream512 takes eight vector registers from first on and two masks.
func newStream512(first, firstMask int) stream512 {
	z := func(i int) string { return fmt.Sprintf("Z%d", first+i) }
	return stream512{z(0), z(1), z(2), z(3), z(4), z(5), z(6), z(7),
		fmt.Sprintf("K%d", firstMask), fmt.Sprintf("K%d", firstMask+1)}
}

// row512 is the memory operand of one constant, to be broadcast.
func row512(row int) string { return fmt.Sprintf("arcsec512<>+%d(SB)", 8*row) }

// quotient512 turns x in register v into q = 1/clip(x).
func quotient512(v string) []string {
	return []string{
		// The maximum returns its last operand, x, when one is NaN.
		f("VMAXPD %s, %s, %s", v, clip512, v),
		f("VDIVPD %s, %s, %s", v, one512, v),
	}
}

// arccos turns the quotients q in register s into m·arccos(q).
func (s stream512) arccos() []string {
	q := s.s
	coefficient := func(i int) string { return row512(rowAsin + i) }
	fma := func(chain string, i int) string {
		return f("VFMADD213PD.BCST %s, %s, %s", coefficient(i), s.w, chain)
	}
	return []string{
		// z = 1/2 − q/2, or q² in the lanes of the series.
		f("VCMPPD.BCST $17, %s, %s, %s", row512(rowHalf), q, s.series),
		f("VMOVAPD %s, %s", half512, s.z),
		f("VFNMADD231PD %s, %s, %s", half512, q, s.z),
		f("KNOTB %s, %s", s.series, s.root),
		f("VMULPD %s, %s, %s, %s", q, q, s.series, s.z),
		f("VMULPD %s, %s, %s", s.z, s.z, s.w),
		f("VRSQRT14PD %s, %s", s.z, s.h),
		f("VBROADCASTSD %s, %s", coefficient(12), s.even),
		f("VBROADCASTSD %s, %s", coefficient(11), s.odd),
		f("VMOVAPD %s, %s", half512, s.e),
		fma(s.even, 10), fma(s.odd, 9),
		// s ≈ √z and h ≈ 1/(2√z) to 14 bits. One coupled step makes it 27 bits, a
		// step by the residual z − s² takes s to 53, one against that s takes h
		// there, and a last residual makes s the correctly rounded root.
		f("VMULPD %s, %s, %s, %s", s.z, s.h, s.root, s.s),
		f("VMULPD %s, %s, %s", half512, s.h, s.h),
		fma(s.even, 8), fma(s.odd, 7),
		f("VFNMADD231PD %s, %s, %s", s.s, s.h, s.e),
		fma(s.even, 6), fma(s.odd, 5),
		f("VFMADD231PD %s, %s, %s, %s", s.e, s.s, s.root, s.s),
		f("VFMADD231PD %s, %s, %s", s.e, s.h, s.h),
		f("VADDPD %s, %s, %s", s.h, s.h, s.r),
		f("VMOVAPD %s, %s", s.z, s.e),
		fma(s.even, 4), fma(s.odd, 3),
		f("VFNMADD231PD %s, %s, %s", s.s, s.s, s.e),
		fma(s.even, 2), fma(s.odd, 1),
		f("VFMADD231PD %s, %s, %s, %s", s.e, s.h, s.root, s.s),
		f("VMOVAPD %s, %s", one512, s.e),
		fma(s.even, 0),
		f("VFNMADD231PD %s, %s, %s", s.s, s.r, s.e),
		f("VFMADD213PD %s, %s, %s", s.even, s.z, s.odd), // odd is P
		f("VMOVAPD %s, %s", s.z, s.w),
		f("VFMADD231PD %s, %s, %s", s.e, s.h, s.h),
		f("VBROADCASTSD %s, %s", angleTwice, s.even), // even is k
		f("VFNMADD231PD %s, %s, %s", s.s, s.s, s.w),
		f("VBROADCASTSD %s, %s, %s", angleMinus, s.series, s.even),
		f("VMULPD %s, %s, %s", s.z, s.even, s.z),
		f("VBROADCASTSD.Z %s, %s, %s", angleLow, s.series, s.e),
		f("VFMADD231PD %s, %s, %s, %s", s.w, s.h, s.root, s.s),
		// base + (k·s + (k·z·s·P + low))
		f("VMULPD %s, %s, %s", s.s, s.z, s.z),
		f("VFMADD231PD %s, %s, %s", s.odd, s.z, s.e),
		f("VFMADD213PD %s, %s, %s", s.e, s.even, s.s),
		f("VADDPD.BCST %s, %s, %s, %s", angleHigh, s.s, s.series, s.s),
	}
}

// arccosByUnit does the same with the square root unit, whose result has the
// same bits. A lone vector is done sooner this way, many are not.
func (s stream512) arccosByUnit() []string {
	coefficient := func(i int) string { return row512(rowAsin + i) }
	fma := func(chain string, i int) string {
		return f("VFMADD213PD.BCST %s, %s, %s", coefficient(i), s.w, chain)
	}
	q := s.s
	return []string{
		f("VCMPPD.BCST $17, %s, %s, %s", row512(rowHalf), q, s.series),
		f("VMOVAPD %s, %s", half512, s.z),
		f("VFNMADD231PD %s, %s, %s", half512, q, s.z),
		f("VSQRTPD %s, %s", s.z, s.h),
		f("VMULPD %s, %s, %s, %s", q, q, s.series, s.z),
		f("VMULPD %s, %s, %s", s.z, s.z, s.w),
		f("VBROADCASTSD %s, %s", angleTwice, s.e),
		f("VBROADCASTSD %s, %s, %s", angleMinus, s.series, s.e), // e is k
		f("VBROADCASTSD %s, %s", coefficient(12), s.even),
		f("VBROADCASTSD %s, %s", coefficient(11), s.odd),
		fma(s.even, 10), fma(s.odd, 9),
		fma(s.even, 8), fma(s.odd, 7),
		fma(s.even, 6), fma(s.odd, 5),
		fma(s.even, 4), fma(s.odd, 3),
		fma(s.even, 2), fma(s.odd, 1),
		fma(s.even, 0),
		f("VFMADD213PD %s, %s, %s", s.even, s.z, s.odd), // odd is P
		f("VMULPD %s, %s, %s", s.z, s.e, s.z),
		f("VBROADCASTSD.Z %s, %s, %s", angleLow, s.series, s.w),
		f("VMOVAPD %s, %s, %s", q, s.series, s.h),
		f("VMULPD %s, %s, %s", s.h, s.z, s.z),
		f("VFMADD231PD %s, %s, %s", s.odd, s.z, s.w),
		f("VFMADD213PD %s, %s, %s", s.w, s.e, s.h),
		f("VMOVAPD %s, %s", s.h, s.s),
		f("VADDPD.BCST %s, %s, %s, %s", angleHigh, s.s, s.series, s.s),
	}
}

// storeVector stores y, and with delta also d and last, from register s; scratch
// is a register free by then.
func storeVector(delta bool, s, scratch string, offset int) []string {
	if !delta {
		return []string{f("VMOVUPD %s, %d(DI)", s, offset)}
	}
	return []string{
		f("VSUBPD %d(R9), %s, %s", offset, s, scratch),
		f("VMOVUPD %s, %d(DI)", s, offset),
		f("VMOVUPD %s, %d(R9)", s, offset),
		f("VMOVUPD %s, %d(R8)", scratch, offset),
	}
}

const streams512 = 3

// arcsec512 writes one function in three parts: turns of streams512 vectors,
// single vectors, and the last n%8 elements. The last two use registers 16 to 31
// only, which need no VZEROUPPER.
func (l *listing) arcsec512(delta bool) {
	l.function("arcsec", "AVX512", "angle", delta)
	for i, r := range []string{clip512, one512, half512} {
		l.op("VBROADCASTSD %s, %s", row512(rowClip+i), r)
	}
	l.op("CMPQ CX, $%d", 8*streams512)
	l.op("JLT few")
	l.turns512(delta)
	l.op("VZEROUPPER")

	st := newStream512(16, 1)
	l.label("few")
	l.op("SUBQ $8, CX")
	l.op("JLT rest")
	l.label("single")
	l.op("VMOVUPD (SI), %s", st.s)
	l.ops(quotient512(st.s), st.arccosByUnit(), storeVector(delta, st.s, st.z, 0))
	l.advance(64, delta)
	l.op("SUBQ $8, CX")
	l.op("JGE single")
	l.label("rest")
	l.op("ADDQ $8, CX")
	l.op("JZ done")
	l.rest512(delta, st)
	l.label("done")
	l.op("RET")
}

// turns512 writes the main loop. It divides for the next turn while it works on
// the current one, since the divider works beside the multipliers. The last turn
// divides its own x once more, whatever it has become, and drops the result.
func (l *listing) turns512(delta bool) {
	const bytes = 64 * streams512
	next := make([]string, streams512)
	for i := range next {
		next[i] = f("Z%d", 8*streams512+i)
		l.op("VMOVUPD %d(SI), %s", 64*i, next[i])
		l.ops(quotient512(next[i]))
	}
	l.label("turn")
	l.op("SUBQ $%d, CX", 8*streams512)
	l.op("LEAQ %d(SI), DX", bytes)
	l.op("CMPQ CX, $%d", 8*streams512)
	l.op("CMOVQLT SI, DX")
	var bodies [][]string
	for i := range streams512 {
		st := newStream512(8*i, 1+2*i)
		body := []string{f("VMOVAPD %s, %s", next[i], st.s), f("VMOVUPD %d(DX), %s", 64*i, next[i])}
		body = append(body, st.arccos()...)
		body = append(body, storeVector(delta, st.s, st.z, 64*i)...)
		bodies = append(bodies, insert(body, 4+12*i, quotient512(next[i])...))
	}
	l.interleave(bodies...)
	l.op("MOVQ SI, R10")
	l.advance(bytes, delta)
	l.op("CMPQ DX, R10")
	l.op("JNE turn")
}

// rest512 writes the part for the last one to seven elements. It moves them in
// pieces of four, two and one: a masked access of 64 bytes would touch the next
// cache line, which may belong to another process, and would wait for stores to
// bytes it does not use. Lanes are in the order lower half, third quarter, fourth.
func (l *listing) rest512(delta bool, st stream512) {
	l.op("VPXORQ %s, %s, %s", st.s, st.s, st.s)
	l.pieces("load", []int{4, 2, 1}, func(bit int) []string {
		switch bit {
		case 4:
			return []string{f("VMOVUPD (SI)(R10*1), %s", part(st.s, "Y"))}
		case 2:
			return []string{f("VINSERTF64X2 $2, (SI)(R10*1), %s, %s", st.s, st.s)}
		}
		return []string{f("VMOVSD (SI)(R10*1), %s", part(st.z, "X")),
			f("VINSERTF64X2 $3, %s, %s, %s", part(st.z, "X"), st.s, st.s)}
	})
	l.ops(quotient512(st.s), st.arccosByUnit())
	l.pieces("store", []int{4, 2, 1}, func(bit int) []string {
		switch bit {
		case 4:
			return storePiece(delta, bit, part(st.s, "Y"), part(st.z, "Y"))
		case 2:
			return append([]string{f("VEXTRACTF64X2 $2, %s, %s", st.s, part(st.h, "X"))},
				storePiece(delta, bit, part(st.h, "X"), part(st.z, "X"))...)
		}
		return append([]string{f("VEXTRACTF64X2 $3, %s, %s", st.s, part(st.h, "X"))},
			storePiece(delta, bit, part(st.h, "X"), part(st.z, "X"))...)
	})
}

func arcsecAVX512() string {
	l := new(listing)
	l.WriteString(header)
	l.table("arcsec512", 1, constants()...)
	l.arcsec512(false)
	l.arcsec512(true)
	return l.String()
}
