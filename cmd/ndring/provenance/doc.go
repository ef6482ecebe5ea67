// Package provenance says where the frames of a ring come from: a source that
// computes every value from the frame number, and the kernels the values went
// through. It stands as JSON in the ring's metadata, so that a consumer that knows
// nothing else can recompute each frame and compare.
//
//	{"source":{"kind":"linspace","dtype":"f64","shape":[5]},
//	 "chain":[{"kernel":"arcsec","fx":[...],"fy":[...]}]}
//
// Sources, for frame n from 0 and element i of N:
//
//	linspace   from n+1 to n+2 in N equal steps, ends included
//	sine       sin(2*pi*((n*N+i) mod period)/period)
//	random     uniform in [1, 10), PCG seeded with seed and n
//
// Frames of npy, stdin and tcp sources cannot be recomputed, nor those of a ring
// that is fed from rings with differing metadata.
//
// # What an Audit proves
//
// PRIMARY of source frame n is the chain of kernels applied to the source's values
// for n, bit for bit. n is the frame's number in a ring that a source feeds, and
// its sequence id less one, extended to 64 bits, behind a stage. DELTA is the
// difference of two PRIMARY frames rounded once; previous PRIMARY + DELTA gives the
// current PRIMARY exactly wherever a float64 can hold their difference, and Audit
// counts where it cannot.
package provenance
