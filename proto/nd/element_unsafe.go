package nd

import (
	"fmt"
	"unsafe"

	"github.com/ndring/ndring/proto"
)

// Everything unsafe of the package stands here. Each function reinterprets
// bytes that a bounds-checked slice expression has just been formed over, so
// the memory is inside the []byte it came from. Whether that []byte is still
// backed is the lifetime rule of the package: a view, and any slice returned
// here, is valid only while the lease on its memory is held. None of these
// pointers keeps a mapping alive; those into Go memory do keep it.

// Slice returns the elements of a as a typed slice in place: no copy, length and
// capacity a.Len(), valid as long as the memory of a, for a frame while its
// lease is held. The error wraps ErrDType, ErrStrided or ErrMisaligned.
//
// The bytes of a Bool array are had as Slice[uint8].
func Slice[T Number](a Array) ([]T, error) {
	if err := checkType[T](&a); err != nil {
		return nil, err
	}
	b, err := a.Contents()
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return []T{}, nil
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if align := alignOf[T](); uintptr(p)%align != 0 {
		return nil, fmt.Errorf("%w: %s at an address that is not a multiple of %d, use Values or Clone", ErrMisaligned, a.dtype, align)
	}
	return unsafe.Slice((*T)(p), a.elems), nil
}

// From returns an array over the elements of s, which it shares: contiguous, of
// the given shape, one dimension when none is given. The error wraps
// proto.ErrShape when the shape does not have len(s) elements.
func From[T Elem](s []T, shape ...int) (Array, error) {
	var one [1]int
	if len(shape) == 0 {
		one[0] = len(s)
		shape = one[:]
	}
	d, err := Contiguous(DTypeOf[T](), shape...)
	if err != nil {
		return Array{}, err
	}
	if d.Elems() != len(s) {
		return Array{}, fmt.Errorf("view slice: %w: %s has %d elements, the slice %d", proto.ErrShape, d, d.Elems(), len(s))
	}
	if len(s) == 0 {
		return New(d, nil)
	}
	return New(d, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), d.Bytes()))
}

// load reads one element. Memory that is not aligned for T is copied bytewise,
// because not every machine loads it; a byte read as bool is made 0 or 1,
// because a peer may have stored something else.
func load[T Elem](data []byte, offset int) T {
	var v T
	b := data[offset : offset+int(unsafe.Sizeof(v))]
	p := unsafe.Pointer(unsafe.SliceData(b))
	if _, isBool := any(v).(bool); isBool {
		if b[0] != 0 {
			*(*byte)(unsafe.Pointer(&v)) = 1
		}
		return v
	}
	if uintptr(p)%alignOf[T]() == 0 {
		return *(*T)(p)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v)), b)
	return v
}

// store writes one element, aligned or not.
func store[T Elem](data []byte, offset int, v T) {
	b := data[offset : offset+int(unsafe.Sizeof(v))]
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v)))
}

func alignOf[T Elem]() uintptr {
	var v T
	return unsafe.Alignof(v)
}

// alignedBytes returns n zeroed bytes that start at a multiple of 8, the
// strictest alignment of any element type.
func alignedBytes(n int) []byte {
	if n <= 0 {
		return nil
	}
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}
