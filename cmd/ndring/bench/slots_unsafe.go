package bench

import "unsafe"

// slot is one slot of the bare ring: the sequence word, two words that stand
// for the rest of a header, five words of payload.
type slot = [slotBytes / 8]uint64

// slotsOf views n slots from byte offset of shared; it panics as word does.
func slotsOf(shared []byte, offset, n int) []slot {
	cells := shared[offset : offset+slotBytes*n]
	if offset%8 != 0 {
		panic("bench: slot off its 8-byte boundary")
	}
	return unsafe.Slice((*slot)(unsafe.Pointer(unsafe.SliceData(cells))), n)
}
