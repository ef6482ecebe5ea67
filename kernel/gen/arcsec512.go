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
	s, z, h, e, w, even, odd string // s holds x, then q, then q or the root
	root, series             string // masks of lanes with q ≥ 1/2 and q < 1/2
}

// newStream512 takes seven vector registers from first on and two masks.
func newStream512(first, firstMask int) stream512 {
	z := func(i int) string { return fmt.Sprintf("Z%d", first+i) }
	return stream512{z(0), z(1), z(2), z(3), z(4), z(5), z(6),
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
		// s ≈ √z and h ≈ 1/(2√z), two coupled Newton steps and a last one for s
		// by its exact residual, which makes s the correctly rounded root.
		f("VMULPD %s, %s, %s, %s", s.z, s.h, s.root, s.s),
		f("VMULPD %s, %s, %s", half512, s.h, s.h),
		fma(s.even, 8), fma(s.odd, 7),
		f("VFNMADD231PD %s, %s, %s", s.s, s.h, s.e),
		fma(s.even, 6), fma(s.odd, 5),
		f("VFMADD231PD %s, %s, %s, %s", s.e, s.s, s.root, s.s),
		f("VFMADD231PD %s, %s, %s", s.e, s.h, s.h),
		f("VMOVAPD %s, %s", s.z, s.e),
		fma(s.even, 4), fma(s.odd, 3),
		f("VFNMADD231PD %s, %s, %s", s.s, s.s, s.e),
		fma(s.even, 2), fma(s.odd, 1),
		f("VFMADD231PD %s, %s, %s, %s", s.e, s.h, s.root, s.s),
		f("VMOVAPD %s, %s", half512, s.e),
		fma(s.even, 0),
		f("VFNMADD231PD %s, %s, %s", s.s, s.h, s.e),
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

// store512 stores y, and with delta also d and last, from register s; scratch
// is a register free by then; mask is empty or names the lanes to touch.
func store512(delta bool, s, scratch string, offset int, mask string) []string {
	if !delta {
		return []string{f("VMOVUPD %s, %s%d(DI)", s, mask, offset)}
	}
	zeroing := ""
	if mask != "" {
		zeroing = ".Z"
	}
	return []string{
		f("VMOVUPD%s %d(R9), %s%s", zeroing, offset, mask, scratch),
		f("VSUBPD %s, %s, %s", scratch, s, scratch),
		f("VMOVUPD %s, %s%d(DI)", s, mask, offset),
		f("VMOVUPD %s, %s%d(R9)", s, mask, offset),
		f("VMOVUPD %s, %s%d(R8)", scratch, mask, offset),
	}
}

// arguments512 loads AX angle, DI y, R8 d, R9 last, SI x, CX n.
func (l *listing) arcsecArguments(delta bool) {
	l.op("MOVQ a+0(FP), AX")
	l.op("MOVQ y+8(FP), DI")
	if delta {
		l.op("MOVQ d+16(FP), R8")
		l.op("MOVQ last+24(FP), R9")
		l.op("MOVQ x+32(FP), SI")
		l.op("MOVQ n+40(FP), CX")
		return
	}
	l.op("MOVQ x+16(FP), SI")
	l.op("MOVQ n+24(FP), CX")
}

const streams512 = 3

// arcsec512 writes one function. Its main loop takes streams512 vectors a turn
// and divides for the next turn meanwhile, since the divider works beside the
// multipliers; next turn's x is loaded before y is stored, but never the same
// element twice after a store that counts. A last turn divides the same x once
// more and drops the result. The tail loop takes one masked vector a turn in
// registers 16 to 31, which need no VZEROUPPER.
func (l *listing) arcsec512(delta bool) {
	const bytes = 64 * streams512
	name, args := "arcsecAVX512", 32
	signature := "func arcsecAVX512(a *angle, y, x *float64, n int)"
	if delta {
		name, args = "arcsecDeltaAVX512", 48
		signature = "func arcsecDeltaAVX512(a *angle, y, d, last, x *float64, n int)"
	}
	l.text(signature, name, args)
	l.arcsecArguments(delta)
	for i, r := range []string{clip512, one512, half512} {
		l.op("VBROADCASTSD %s, %s", row512(rowClip+i), r)
	}
	l.op("CMPQ CX, $%d", 8*streams512)
	l.op("JLT tail")

	var next []string
	for i := range streams512 {
		next = append(next, f("Z%d", 7*streams512+i))
		l.op("VMOVUPD %d(SI), %s", 64*i, next[i])
	}
	for i := range streams512 {
		for _, line := range quotient512(next[i]) {
			l.op("%s", line)
		}
	}
	l.label("loop")
	l.op("SUBQ $%d, CX", 8*streams512)
	l.op("LEAQ %d(SI), DX", bytes)
	l.op("CMPQ CX, $%d", 8*streams512)
	l.op("CMOVQLT SI, DX")
	var bodies [][]string
	for i := range streams512 {
		st := newStream512(7*i, 1+2*i)
		body := append([]string{f("VMOVAPD %s, %s", next[i], st.s),
			f("VMOVUPD %d(DX), %s", 64*i, next[i])}, st.arccos()...)
		body = insert(body, 4+12*i, quotient512(next[i])...)
		body = append(body, store512(delta, st.s, st.z, 64*i, "")...)
		bodies = append(bodies, body)
	}
	l.interleave(bodies...)
	l.op("MOVQ SI, R10")
	l.op("ADDQ $%d, SI", bytes)
	l.op("ADDQ $%d, DI", bytes)
	if delta {
		l.op("ADDQ $%d, R8", bytes)
		l.op("ADDQ $%d, R9", bytes)
	}
	l.op("CMPQ DX, R10")
	l.op("JNE loop")
	l.op("VZEROUPPER")
	l.op("TESTQ CX, CX")
	l.op("JZ done")

	l.label("tail")
	l.op("MOVL $-1, BX")
	l.label("one")
	l.op("MOVL $8, DX")
	l.op("CMPQ CX, $8")
	l.op("CMOVQLT CX, DX")
	l.op("BZHIL DX, BX, R10")
	l.op("KMOVB R10, K7")
	st := newStream512(16, 1)
	l.op("VMOVUPD.Z (SI), K7, %s", st.s)
	for _, line := range append(quotient512(st.s), st.arccos()...) {
		l.op("%s", line)
	}
	for _, line := range store512(delta, st.s, st.z, 0, "K7, ") {
		l.op("%s", line)
	}
	l.op("ADDQ $64, SI")
	l.op("ADDQ $64, DI")
	if delta {
		l.op("ADDQ $64, R8")
		l.op("ADDQ $64, R9")
	}
	l.op("SUBQ $8, CX")
	l.op("JGT one")
	l.label("done")
	l.op("RET")
}

func arcsecAVX512() string {
	l := new(listing)
	l.WriteString(header)
	l.table("arcsec512", 1, constants()...)
	l.arcsec512(false)
	l.arcsec512(true)
	return l.String()
}
