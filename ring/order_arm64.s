//go:build arm64 && !noasm && !race

#include "textflag.h"

// func storeRelease(p *uint64, v uint64)
TEXT ·storeRelease(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	STLR R1, (R0)
	RET

// func storeCommit(p *uint64, v uint64)
// storeRelease that also prefetches the line eight ahead for writing.
TEXT ·storeCommit(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	PRFM 512(R0), PSTL1KEEP
	STLR R1, (R0)
	RET

// func fence()
TEXT ·fence(SB), NOSPLIT, $0-0
	DMB $0xB // ISH
	RET

// func loadFence()
TEXT ·loadFence(SB), NOSPLIT, $0-0
	DMB $0x9 // ISHLD
	RET

// func pause(n int)
// The frame is there for the stack check in its prologue, by which a spinning
// goroutine can be preempted.
TEXT ·pause(SB), 0, $128-8
	MOVD n+0(FP), R1
loop:
	YIELD
	SUBS $1, R1
	BGT  loop
	RET

// func pauseWhile(p *uint64, old uint64, n int) uint64
TEXT ·pauseWhile(SB), 0, $128-32
	MOVD p+0(FP), R0
	MOVD old+8(FP), R1
	MOVD n+16(FP), R2
look:
	LDAR (R0), R3
	CMP  R1, R3
	BNE  done
	YIELD
	SUBS $1, R2
	BGT  look
done:
	MOVD R3, ret+24(FP)
	RET

// func prefetchWrite(p *uint64, lines int)
// At most 64 lines; a prefetch never faults.
TEXT ·prefetchWrite(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD lines+8(FP), R1
	CMP  $64, R1
	BLE  next
	MOVD $64, R1
next:
	PRFM (R0), PSTL1KEEP
	ADD  $64, R0
	SUBS $1, R1
	BGT  next
	RET
