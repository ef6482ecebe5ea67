package main

// unroll is how many vectors a turn of the linear kernels takes.
const unroll = 4

// linear writes affine and the DELTA form of identity for both levels.
func linear() string {
	l := new(listing)
	l.WriteString(header)
	for _, v := range []struct {
		level, kind string
		bytes       int
	}{{"AVX2", "Y", 32}, {"AVX512", "Z", 64}} {
		l.linear("affine", v.level, v.kind, v.bytes, "affine", false)
		l.linear("affine", v.level, v.kind, v.bytes, "affine", true)
		l.linear("copy", v.level, v.kind, v.bytes, "", true)
	}
	return l.String()
}

// linear writes one function: turns of several vectors of kind, single vectors
// of four, single elements.
func (l *listing) linear(kernel, level, kind string, bytes int, parameters string, delta bool) {
	affine := parameters != ""
	l.function(kernel, level, parameters, delta)
	if affine {
		l.op("VBROADCASTSD 0(AX), %s14", kind)
		l.op("VBROADCASTSD 8(AX), %s15", kind)
	}
	step := func(name, kind string, bytes, count int) {
		l.op("SUBQ $%d, CX", bytes*count/8)
		l.op("JLT %sEnd", name)
		l.label(name)
		for i := range count {
			l.op("VMOVUPD %d(SI), %s%d", bytes*i, kind, i)
		}
		if affine {
			for i := range count {
				l.op("VMULPD %s%d, %s14, %s%d", kind, i, kind, kind, i)
			}
			for i := range count {
				l.op("VADDPD %s%d, %s15, %s%d", kind, i, kind, kind, i)
			}
		}
		for i := range count {
			l.ops(storeVector(delta, f("%s%d", kind, i), f("%s%d", kind, unroll+i), bytes*i))
		}
		l.advance(bytes*count, delta)
		l.op("SUBQ $%d, CX", bytes*count/8)
		l.op("JGE %s", name)
		l.label(name + "End")
		l.op("ADDQ $%d, CX", bytes*count/8)
	}
	step("turn", kind, bytes, unroll)
	step("four", "Y", 32, 1)
	l.op("JZ done")
	l.op("XORL R10, R10")
	l.label("one")
	l.op("VMOVSD (SI)(R10*1), X0")
	if affine {
		l.op("VMULSD X0, X14, X0")
		l.op("VADDSD X0, X15, X0")
	}
	l.ops(storePiece(delta, 1, "X0", "X1"))
	l.op("ADDQ $8, R10")
	l.op("DECQ CX")
	l.op("JNZ one")
	l.label("done")
	l.op("VZEROUPPER")
	l.op("RET")
}
