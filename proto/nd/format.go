package nd

import (
	"fmt"
	"iter"
	"strconv"

	"github.com/ndring/ndring/proto"
)

// Value returns the element at idx as the Go type of its dtype, Float16 for F16.
// The error wraps ErrIndex.
func (a Array) Value(idx ...int) (any, error) {
	offset, err := a.position(idx)
	if err != nil {
		return nil, err
	}
	return a.valueAt(offset), nil
}

func (a *Array) valueAt(offset int) any {
	switch a.dtype {
	case proto.F64:
		return load[float64](a.data, offset)
	case proto.F32:
		return load[float32](a.data, offset)
	case proto.F16:
		return load[Float16](a.data, offset)
	case proto.I8:
		return load[int8](a.data, offset)
	case proto.I16:
		return load[int16](a.data, offset)
	case proto.I32:
		return load[int32](a.data, offset)
	case proto.I64:
		return load[int64](a.data, offset)
	case proto.U8:
		return load[uint8](a.data, offset)
	case proto.U16:
		return load[uint16](a.data, offset)
	case proto.U32:
		return load[uint32](a.data, offset)
	case proto.U64:
		return load[uint64](a.data, offset)
	case proto.Bool:
		return load[bool](a.data, offset)
	case proto.C64:
		return load[complex64](a.data, offset)
	default:
		return load[complex128](a.data, offset)
	}
}

// Preview returns the first n elements in C order as text, fewer when the array
// has fewer. It does not look at the others.
func (a Array) Preview(n int) []string {
	var out []string
	r := a.runs()
	for offset, ok := r.next(); ok; offset, ok = r.next() {
		for range r.n {
			if len(out) >= n {
				return out
			}
			out = append(out, text(a.valueAt(offset)))
			offset += r.step
		}
	}
	return out
}

// text writes floats with the fewest digits that tell the value apart within
// its type.
func text(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	case Float16:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// String returns the value in decimal, such as "0.1", with the fewest digits
// that name this Float16 and no other.
func (h Float16) String() string {
	f := float64(h.Float32())
	for digits := 1; digits < 5; digits++ {
		s := strconv.FormatFloat(f, 'g', digits, 64)
		if short, err := strconv.ParseFloat(s, 64); err == nil && FromFloat64(short) == h {
			return strconv.FormatFloat(short, 'g', -1, 64)
		}
	}
	return strconv.FormatFloat(f, 'g', -1, 32)
}

// String returns type, shape and the first elements, such as
// "f64[2,3] 1 2 3 4 …".
func (a Array) String() string {
	if !a.dtype.Valid() {
		return "no array"
	}
	const shown = 4
	s := a.Desc().String()
	for _, v := range a.Preview(shown) {
		s += " " + v
	}
	if a.elems > shown {
		s += " …"
	}
	return s
}

// Float64s returns the elements in C order converted to float64, for statistics
// and printing; bools are 0 and 1, and 64-bit integers round. The error wraps
// ErrDType for complex elements, which have no order.
func (a Array) Float64s() (iter.Seq[float64], error) {
	switch a.dtype {
	case proto.F64:
		return Values[float64](a)
	case proto.F32:
		return converted[float32](a), nil
	case proto.I8:
		return converted[int8](a), nil
	case proto.I16:
		return converted[int16](a), nil
	case proto.I32:
		return converted[int32](a), nil
	case proto.I64:
		return converted[int64](a), nil
	case proto.U8:
		return converted[uint8](a), nil
	case proto.U16:
		return converted[uint16](a), nil
	case proto.U32:
		return converted[uint32](a), nil
	case proto.U64:
		return converted[uint64](a), nil
	case proto.F16:
		return mapped(a, func(h Float16) float64 { return float64(h.Float32()) }), nil
	case proto.Bool:
		return mapped(a, truth), nil
	default:
		return nil, fmt.Errorf("convert to float64: %w: %s has no such value", ErrDType, a.dtype)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func converted[T float32 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](a Array) iter.Seq[float64] {
	return mapped(a, func(v T) float64 { return float64(v) })
}

// mapped returns f of each element; the caller has matched T to the dtype.
func mapped[T Elem](a Array, f func(T) float64) iter.Seq[float64] {
	return func(yield func(float64) bool) {
		values, err := Values[T](a)
		if err != nil {
			return
		}
		for v := range values {
			if !yield(f(v)) {
				return
			}
		}
	}
}
