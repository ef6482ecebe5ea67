// Package nd gives N-d views of memory that somebody else owns: the payload of
// a frame in a ring, a parsed .npy file, a slice of numbers.
//
// # Model
//
// A Desc says how bytes are an array: element type, up to proto.MaxDims
// dimensions, and for each axis its extent and its stride, the distance in
// bytes from one index to the next. An Array is a Desc over a []byte, plus the
// byte where index (0, 0, …) stands. Element (i0, i1, …) starts at
//
//	offset + i0*stride0 + i1*stride1 + …
//
//	f32[2,3], C order                 its transpose, f32[3,2]
//	strides 12, 4                     strides 4, 12
//	+----+----+----+----+----+----+
//	| 00 | 01 | 02 | 10 | 11 | 12 |   the same 24 bytes
//	+----+----+----+----+----+----+
//
// Slice, Index, Transpose and Reshape only change the numbers of that formula.
// They copy no element and allocate nothing; what is stored through one view is
// seen through all. An array without dimensions is one element, an axis may have
// extent 0, and then the array is empty and its strides mean nothing.
//
// # Why no access leaves the memory
//
// New proves, with 128-bit products, that the last byte reachable by any valid
// index lies inside the given bytes, and refuses the array otherwise. A stride
// in a Desc is at least 0, so the first reachable byte is byte 0. Stride 0
// repeats one element along the axis; any other stride is allowed, also one
// that is not a multiple of the element size. Negative strides are refused in a
// Desc; they arise only in derived views, by Slice with a negative step. A
// derived view reaches a subset of what its origin reaches, so the proof holds
// for it as well. Besides, every element access goes through a bounds-checked
// slice expression.
//
// A Desc may come from a hostile peer: decode it into local memory once, then
// give it to New. The elements may change at any time while a peer can write
// them; no value of an element can make this package misbehave. That is why a
// []bool is never formed over foreign bytes: the compiler assumes 0 or 1 in a
// bool. Slice[uint8] gives the bytes of a Bool array, At[bool] any non-zero
// byte as true.
//
// # Lifetime
//
// An Array, and every slice taken from one, is valid only as long as the memory
// below it: for a frame, while its lease is held. Nothing here keeps a mapping
// alive. Clone makes an array that lives on its own. Memory of a ring that is
// mapped read-only must not be stored to; ReadOnly makes Set refuse to.
//
// # Cost
//
// Forming and deriving arrays takes no heap memory. Contiguous data is read
// fastest as Slice[T]; strided data by Values or Copy, which merge axes that
// lie densely and walk the rest in runs. At checks type and indices on each
// call and is for single elements.
//
// # Caveats
//
// Elements are little-endian and are read in place, so hosts must be
// little-endian. Arrays are limited to proto.MaxPayloadBytes when packed, so
// that each fits a frame; with stride 0 the packed size can still exceed by far
// the bytes present, so whoever walks a foreign array looks at Len first.
package nd
