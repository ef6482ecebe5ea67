package nd

import (
	"fmt"
	"iter"

	"github.com/ndring/ndring/proto"
)

// Number is the Go types of which a slice can be formed over foreign bytes: any
// bit pattern is a value. Float16 stands for F16; uint8 also reads Bool.
type Number interface {
	float64 | float32 | Float16 | int8 | int16 | int32 | int64 |
		uint8 | uint16 | uint32 | uint64 | complex64 | complex128
}

// Elem is the Go types of single elements.
type Elem interface{ Number | bool }

// DTypeOf returns the element type that T stands for.
func DTypeOf[T Elem]() proto.DType {
	var zero T
	switch any(zero).(type) {
	case float64:
		return proto.F64
	case float32:
		return proto.F32
	case Float16:
		return proto.F16
	case int8:
		return proto.I8
	case int16:
		return proto.I16
	case int32:
		return proto.I32
	case int64:
		return proto.I64
	case uint8:
		return proto.U8
	case uint16:
		return proto.U16
	case uint32:
		return proto.U32
	case uint64:
		return proto.U64
	case bool:
		return proto.Bool
	case complex64:
		return proto.C64
	default:
		return proto.C128
	}
}

// checkType refuses a T that is not the element type of a. The bytes of a Bool
// array can be had as uint8.
func checkType[T Elem](a *Array) error {
	want := DTypeOf[T]()
	if want == a.dtype || want == proto.U8 && a.dtype == proto.Bool {
		return nil
	}
	return fmt.Errorf("%w: the array holds %s, %s was asked for", ErrDType, a.dtype, want)
}

// position returns the offset in data of the element at idx. The message holds
// no slice, so idx stays on the caller's stack.
func (a *Array) position(idx []int) (int, error) {
	if len(idx) != int(a.ndim) {
		return 0, fmt.Errorf("%w: %d indices for %d dimensions", ErrIndex, len(idx), a.ndim)
	}
	offset := a.offset
	for axis, i := range idx {
		if i < 0 || i >= a.shape[axis] {
			return 0, fmt.Errorf("%w: %d on axis %d of extent %d", ErrIndex, i, axis, a.shape[axis])
		}
		offset += i * a.strides[axis]
	}
	if a.elems == 0 { // the zero Array: of any other, the empty axis refused its index above
		return 0, fmt.Errorf("%w: the array is empty", ErrIndex)
	}
	return offset, nil
}

// At returns the element at idx, one index for each dimension. The error wraps
// ErrDType or ErrIndex. The element need not be aligned.
func At[T Elem](a Array, idx ...int) (T, error) {
	var zero T
	if err := checkType[T](&a); err != nil {
		return zero, err
	}
	offset, err := a.position(idx)
	if err != nil {
		return zero, err
	}
	return load[T](a.data, offset), nil
}

// Set stores v at idx. The error wraps ErrReadOnly, ErrDType or ErrIndex, and
// then nothing is stored.
func Set[T Elem](a Array, v T, idx ...int) error {
	if a.readOnly {
		return fmt.Errorf("set element: %w", ErrReadOnly)
	}
	if err := checkType[T](&a); err != nil {
		return err
	}
	offset, err := a.position(idx)
	if err != nil {
		return err
	}
	store(a.data, offset, v)
	return nil
}

// Values returns the elements in C order, whatever the strides. The error wraps
// ErrDType. The iterator reads a's memory while it runs and can be used again.
func Values[T Elem](a Array) (iter.Seq[T], error) {
	if err := checkType[T](&a); err != nil {
		return nil, err
	}
	return func(yield func(T) bool) {
		r := a.runs()
		for offset, ok := r.next(); ok; offset, ok = r.next() {
			for range r.n {
				if !yield(load[T](a.data, offset)) {
					return
				}
				offset += r.step
			}
		}
	}, nil
}
