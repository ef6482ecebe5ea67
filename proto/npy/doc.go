// Package npy reads and writes arrays in NumPy's .npy format, versions 1.0, 2.0
// and 3.0.
//
// # Format
//
//	+0   "\x93NUMPY"
//	+6   major, minor version, one byte each
//	+8   header length: u16 in version 1.0, u32 in 2.0 and 3.0, little-endian
//	     header: a Python dict literal, padded with spaces, newline at the end
//	     {'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }
//	     data: the elements without gaps, starting at a multiple of 64
//
// The layout is that of NumPy's documentation of numpy.lib.format. Nothing
// behind the data belongs to the array, so several arrays may follow each other
// in one stream; Read consumes exactly one.
//
// # Reading
//
// The header is read by a parser of its own that knows three keys, strings,
// True, False and tuples of integers, in any order of keys, and refuses the rest
// with the place where it stopped. No Python object is ever built: structured
// and object arrays are refused. Every dtype of package proto is accepted,
// others are refused with the list of those that are.
//
// Fortran order becomes strides: the view reads right, index by index, and
// nd.Array.Clone packs it into C order. Big-endian data is swapped while it is
// read, which costs Parse a copy.
//
// A header is bounded in length, and a shape that overflows or exceeds a frame
// is refused before memory is taken. Read takes memory as data arrives, so a
// short stream that promises terabytes costs a few megabytes.
//
// # Writing
//
// Write makes version 1.0 in C order, little-endian, byte for byte what NumPy
// 1.24 writes for the same array. Contiguous elements go to the writer straight
// from where they lie; strided ones are packed piece by piece.
package npy
