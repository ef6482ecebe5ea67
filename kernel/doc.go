// Package kernel computes on plain slices of float64: elementwise functions
// that a stage applies to the frames it reads. It knows nothing of rings,
// frames or sockets.
//
// # What a kernel is
//
// A [Kernel] maps x to y element by element. A stage sends two frames for
// each frame it reads, the result (PRIMARY) and the result minus the one
// before it (DELTA), so a kernel offers both in one pass over the data:
//
//	  x[i] ──► f ──► y[i] ─────────► PRIMARY
//	                  │
//	last[i] ──► (−) ◄─┤    d[i] ───► DELTA
//	   ▲              │
//	   └──────────────┘    last[i] = y[i]
//
// last belongs to the caller, one slice for each stream; the kernel itself
// holds constants only. Every method may be called by many goroutines at once.
//
// # The kernels
//
//	arcsec    arccos(1/clip(x, 1.0001)) · mean(fy), the quotient rounded to float64
//	asec      arcsecant(clip(x, 1.0001)) · mean(fy), without that rounding
//	affine    scale·x + offset
//	interp    piecewise linear through (fx, fy), constant outside
//	identity  x
//	delta     x; names the wish for the DELTA output, which is x minus the x before
//
// delta and identity compute the same: the difference is in the second output
// of every kernel, so a kernel that put it into the first one as well would
// make DELTA a difference of differences, and [Kernel.Apply], which has no
// memory, could not compute it. The two names say what a reader of the stage's
// output is meant to look at.
//
// # The arccosine
//
// With q = 1/clip(x) rounded, 0 ≤ q ≤ 1/1.0001, and P(z) = (asin(√z)−√z)/(z√z),
// which is smooth on [0, 1/4], two cases cover the domain:
//
//	q < 1/2   z = q²         arccos q = π/2 − (q + q·z·P(z))
//	q ≥ 1/2   z = (1−q)/2    arccos q = 2·(s + s·z·P(z)),  s = √z
//
// In the second case 1−q is exact (Sterbenz), so the root is the only rounded
// operand. Both cases are one formula with selected operands,
//
//	y = base + (k·a + (k·z·a·P + low))     every + after a · fused
//
// where (a, k, base, low) is (q, −m, hi(mπ/2), lo(mπ/2)) or (s, 2m, 0, 0) and
// m = mean(fy). The factor m enters before the last rounding instead of after it,
// which saves one rounding. P is a polynomial of degree 12.
//
// The vector versions evaluate the same operations in the same order with the
// same roundings, so they return the bits of the plain Go version; see
// docs/kernels.md for measured accuracy and speed.
//
// # Caveats
//
// Results that overflow follow IEEE 754; models that must overflow are refused
// by [New]. The accuracy stated for arcsec and asec holds while m·π/2 and m/128
// are normal numbers. NaN gives NaN; its payload is not part of the contract.
package kernel
