//go:build !noasm

#include "textflag.h"

// func storeRelease(p *uint64, v uint64)
TEXT ·storeRelease(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ v+8(FP), BX
	MOVQ BX, (AX)
	RET

// func commitSlot(p *uint64, v uint64)
TEXT ·commitSlot(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ v+8(FP), BX
	LEAQ 512(AX), DI
	BYTE $0x0F; BYTE $0x0D; BYTE $0x0F // PREFETCHW (DI), unknown to the assembler
	MOVQ BX, (AX)
	RET

// The two that wait are not NOSPLIT and have a frame that is not small, so that
// the assembler opens them with the stack check, at which a goroutine can be
// stopped. A signal stops it in Go code only, where a spinning one hardly is.

// func awaitWord(p *uint64, want, looks uint64) bool
TEXT ·awaitWord(SB), 0, $128-25
	MOVQ p+0(FP), AX
	MOVQ want+8(FP), BX
	MOVQ looks+16(FP), CX

look:
	MOVQ (AX), DX
	CMPQ DX, BX
	JEQ  seen
	PAUSE
	DECQ CX
	JNZ  look
	MOVB $0, ret+24(FP)
	RET

seen:
	MOVB $1, ret+24(FP)
	RET

// func pause(n uint64)
TEXT ·pause(SB), 0, $128-8
	MOVQ n+0(FP), CX

again:
	PAUSE
	DECQ CX
	JNZ  again
	RET

// func ticks() uint64
TEXT ·ticks(SB), NOSPLIT, $0-8
	LFENCE
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ret+0(FP)
	RET
