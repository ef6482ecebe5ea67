package bench

import "unsafe"

// word is the 64-bit word at byte offset of shared, which a mapping aligns.
// It panics when the word does not lie inside or is not 8-aligned: the
// offsets are this package's own.
func word(shared []byte, offset int) *uint64 {
	cell := shared[offset : offset+8 : offset+8]
	if offset%8 != 0 {
		panic("bench: word off its 8-byte boundary")
	}
	return (*uint64)(unsafe.Pointer(&cell[0]))
}

// floats views the n float64 at byte offset of shared without copying; it
// panics as word does.
func floats(shared []byte, offset, n int) []float64 {
	cells := shared[offset : offset+8*n]
	if offset%8 != 0 {
		panic("bench: float64 off its 8-byte boundary")
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(cells))), n)
}
