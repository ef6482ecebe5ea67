//go:build linux

// Package role is what the processes of a crash laboratory do: write, read or observe
// a ring with the shipped packages, as fast as they can, check every frame, and tell
// their page (package page) about each step.
//
// # Frames
//
// A frame holds float64 that are whole numbers, so that kernels keep them exact:
//
//	0         number of the frame
//	1         epoch of the ring in which it was written: its author
//	2 … n-2   filling, a function of number and index
//	n-1       CRC-32C of the bytes before
//
// A writer draws what to write: small frames, batches, groups, large ones, the ends
// of streams. All of it is drawn from the seed and the number of the life.
//
// # Steps
//
// Each step is told before it begins: Claiming, Claimed, Written, Committing,
// Committed; Waiting, Held, Verified, Releasing, Released. Whatever the instant of a
// kill, the page says in which step it came. The writer knows before it claims
// whether padding will precede the frame, because it counts positions along.
package role
