//go:build !noasm

#include "textflag.h"

// func storeRelease(p *uint64, v uint64)
TEXT ·storeRelease(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	STLR R1, (R0)
	RET

// func commitSlot(p *uint64, v uint64)
TEXT ·commitSlot(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	ADD  $512, R0, R2
	PRFM (R2), PSTL1KEEP
	STLR R1, (R0)
	RET

// The two that wait are not NOSPLIT and have a frame that is not small, so that
// the assembler opens them with the stack check, at which a goroutine can be
// stopped. A signal stops it in Go code only, where a spinning one hardly is.

// func awaitWord(p *uint64, want, looks uint64) bool
TEXT ·awaitWord(SB), 0, $128-25
	MOVD p+0(FP), R0
	MOVD want+8(FP), R1
	MOVD looks+16(FP), R2

look:
	LDAR (R0), R3
	CMP  R1, R3
	BEQ  seen
	YIELD
	SUBS $1, R2, R2
	BNE  look
	MOVB ZR, ret+24(FP)
	RET

seen:
	MOVD $1, R3
	MOVB R3, ret+24(FP)
	RET

// func pause(n uint64)
TEXT ·pause(SB), 0, $128-8
	MOVD n+0(FP), R0

again:
	YIELD
	SUBS $1, R0, R0
	BNE  again
	RET

// func ticks() uint64
TEXT ·ticks(SB), NOSPLIT, $0-8
	ISB  $15
	MRS  CNTVCT_EL0, R0
	MOVD R0, ret+0(FP)
	RET
