package proto

import (
	"fmt"
	"math/bits"
)

// ContiguousStrides fills strides with the byte strides of a C-order array of
// shape and itemBytes per element and returns its size in bytes. It fails with
// ErrShape when a size does not fit MaxPayloadBytes. A shape with a zero
// dimension needs zero bytes.
func ContiguousStrides(itemBytes uint64, shape []uint64, strides []int64) (uint64, error) {
	size, empty := itemBytes, false
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = int64(size)
		if shape[i] == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(size, shape[i])
		if hi != 0 || lo > MaxPayloadBytes {
			return 0, fmt.Errorf("shape %v of %d-byte elements overflows: %w", shape, itemBytes, ErrShape)
		}
		size = lo
	}
	if empty {
		return 0, nil
	}
	return size, nil
}

// StridedBytes returns how many bytes from the first element on an array of
// shape and byte strides reaches. Strides are multiples of the element size;
// zero repeats, negative strides cannot be expressed in a frame. Errors wrap
// ErrShape.
func StridedBytes(itemBytes uint64, shape []uint64, strides []int64) (uint64, error) {
	reach, empty := itemBytes, false
	for i, n := range shape {
		if strides[i] < 0 || uint64(strides[i])%itemBytes != 0 {
			return 0, fmt.Errorf("stride %d of dimension %d is negative or not a multiple of the %d-byte element: %w", strides[i], i, itemBytes, ErrShape)
		}
		if n == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(n-1, uint64(strides[i]))
		if hi != 0 || lo > MaxPayloadBytes || reach+lo > MaxPayloadBytes {
			return 0, fmt.Errorf("shape %v with strides %v overflows: %w", shape, strides, ErrShape)
		}
		reach += lo
	}
	if empty {
		return 0, nil
	}
	return reach, nil
}
