package stage

import "unsafe"

// bytesOf views values as the bytes they are, little-endian on every machine that
// opens a ring.
func bytesOf(values []float64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 8*len(values))
}
