// Package script holds what a stepped writer does: scripts, each a list of
// operations on one small ring, and the ledger of what that ring then must hold.
//
// A script is built the same way in two processes. The one that is stepped plays it
// with the ring's own packages; the one that looks on takes from it which frames
// are due, where they lie to the byte, and which operation makes them visible.
//
//	script:   attach | claim | write | commit | release | claim | ...
//	ledger:   frame 0 [0,64)   frame 1 [64,128)   padding   frame 2 [65536, ...)
//
// Where a frame lies follows from the contract alone (sizes are multiples of a
// line, no frame crosses the wrap); the ledger computes it without the ring's code.
//
// Operations that only bring the ring into some state, such as laps of old frames,
// are not stepped (Operation.Fast).
package script
