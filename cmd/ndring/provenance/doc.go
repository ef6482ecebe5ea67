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
// Frames of npy and stdin sources cannot be recomputed.
package provenance
