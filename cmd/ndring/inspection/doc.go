// Package inspection looks at a ring from outside, alive or after the death of
// everybody who used it, and changes nothing: all files are mapped read-only, no
// lock is taken and no reader attached.
//
// # How it looks
//
//	Oldest()                       cursor of a reader            Tail()
//	   |--frame--|--frame--| … |--frame--| … |--frame--|--frame--|
//	   walk over headers, no payload touched ───────────────────►
//	                                          |last N: values ──►|
//
// A first walk over the headers counts frames, so that a reader's lag is known in
// frames as well as in bytes, and finds where the last N frames start. A second one
// looks at their values. Where a living writer overtakes a walk, it is repeated
// with an observer, which follows. What was read of a frame counts only if the
// frame was intact afterwards.
//
// Frames and slots are written by other processes: an array is walked only when its
// number of elements is bounded, since strides of 0 let a few bytes claim to be
// 2^48 elements.
//
// Process ids are labels. They are looked up in /proc of this process's pid
// namespace; a process in another one shows as unknown.
package inspection
