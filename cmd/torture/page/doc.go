//go:build linux

// Package page is the memory that a crash laboratory shares with one actor, a process
// that is killed and started again and again: what the actor is doing, what the
// laboratory wants of it, and the actor's log.
//
//	0     state      by the actor: what it is about to do
//	8     beat       by the actor: frames so far, over all lives
//	16    resumed    by the actor: when the wait ended that it was asked about, ns
//	24    lingering  by the actor: 1 while it stands still where the trap says
//	128   trap       by the laboratory: where the next life stands still
//	136   finish     by the laboratory: 1 = end the ring
//	144   asked      by the laboratory: when it asked for the end of a wait, ns
//	256   written    by the actor: entries of the log
//	384   taken      by the laboratory: entries it has no more need of
//	4096  log        entries of one line each, as a circle
//
// The file has no name, so nothing is left behind whatever dies. A word is stored in
// one instruction, so after a kill the page says what was being done at that
// instant, and the log ends with what was stored. An entry counts once written was
// stored after it; the last one is extended in place. One process writes at a time,
// the laboratory starts the next when the last has been waited for.
//
// When the log is full the actor waits, so that nothing is lost; the laboratory
// takes entries every few milliseconds.
package page
