//go:build amd64 && !noasm && !race

#include "textflag.h"

// func storeRelease(p *uint64, v uint64)
// Stores are not reordered with earlier loads and stores on amd64.
TEXT ·storeRelease(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ v+8(FP), AX
	MOVQ AX, (DI)
	RET

// func storeCommit(p *uint64, v uint64)
// storeRelease that also asks for the line eight ahead in exclusive state
// (PREFETCHW 512(DI)), before the stores of later frames need it. A prefetch
// never faults, so it may run past the mapping.
TEXT ·storeCommit(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ v+8(FP), AX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x8F; LONG $512
	MOVQ AX, (DI)
	RET

// func fence()
TEXT ·fence(SB), NOSPLIT, $8-0
	LOCK
	ADDQ $0, 0(SP)
	RET

// func pause(n int)
// The frame is there for the stack check in its prologue, by which a spinning
// goroutine can be preempted.
TEXT ·pause(SB), 0, $128-8
	MOVQ n+0(FP), CX
loop:
	PAUSE
	DECQ CX
	JG   loop
	RET

// func pauseWhile(p *uint64, old uint64, n int) uint64
TEXT ·pauseWhile(SB), 0, $128-32
	MOVQ p+0(FP), DI
	MOVQ old+8(FP), DX
	MOVQ n+16(FP), CX
look:
	MOVQ (DI), AX
	CMPQ AX, DX
	JNE  done
	PAUSE
	DECQ CX
	JG   look
done:
	MOVQ AX, ret+24(FP)
	RET

// func prefetchWrite(p *uint64, lines int)
// At most 64 lines; a prefetch never faults.
TEXT ·prefetchWrite(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ lines+8(FP), CX
	CMPQ CX, $64
	JLE  next
	MOVQ $64, CX
next:
	BYTE $0x0F; BYTE $0x0D; BYTE $0x0F // PREFETCHW (DI)
	ADDQ $64, DI
	DECQ CX
	JG   next
	RET
