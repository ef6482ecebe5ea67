package main

import (
	"fmt"
	"unsafe"
)

// float64s views frame as float64, without the bytes past the last whole
// element. It returns an error when the transport delivered at least one
// element off an 8-byte boundary.
func float64s(frame []byte) ([]float64, error) {
	if len(frame) < 8 {
		return nil, errShort(len(frame))
	}
	first := unsafe.Pointer(unsafe.SliceData(frame))
	if off := uintptr(first) % 8; off != 0 {
		return nil, fmt.Errorf("view a frame of %d bytes as float64: it begins %d bytes past an 8-byte boundary", len(frame), off)
	}
	return unsafe.Slice((*float64)(first), len(frame)/8), nil
}

// misalignment is how many bytes b begins past an 8-byte boundary.
func misalignment(b []byte) int { return int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) % 8) }
