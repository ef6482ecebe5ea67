package render

import (
	"fmt"
	"iter"
	"math"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// Values returns the elements of a in C order as JSON can hold them: numbers,
// booleans, pairs for complex numbers, and strings for NaN and the infinities. The
// error wraps ErrTooLarge when there are more than most.
func Values(a nd.Array, most int) ([]any, error) {
	if a.Len() > most {
		return nil, fmt.Errorf("%d elements, at most %d: %w", a.Len(), most, ErrTooLarge)
	}
	return First(a, a.Len())
}

// First is Values of the first n elements; of the others it does not look at one.
func First(a nd.Array, n int) ([]any, error) {
	n = min(n, a.Len())
	switch a.DType() {
	case proto.C64:
		return list(a, n, func(c complex64) any { return pair(complex128(c)) })
	case proto.C128:
		return list(a, n, func(c complex128) any { return pair(c) })
	case proto.I64:
		return list(a, n, func(v int64) any { return v })
	case proto.U64:
		return list(a, n, func(v uint64) any { return v })
	case proto.F32:
		return list(a, n, func(v float32) any { return number(float64(v), v) })
	case proto.Bool:
		return list(a, n, func(v bool) any { return v })
	}
	seq, err := a.Float64s()
	if err != nil {
		return nil, err
	}
	return take(seq, n, func(v float64) any { return number(v, v) }), nil
}

func list[T nd.Elem](a nd.Array, n int, value func(T) any) ([]any, error) {
	seq, err := nd.Values[T](a)
	if err != nil {
		return nil, err
	}
	return take(seq, n, value), nil
}

// take makes JSON values of the first n of seq.
func take[T any](seq iter.Seq[T], n int, value func(T) any) []any {
	values := make([]any, 0, n)
	for v := range seq {
		if len(values) == n {
			break
		}
		values = append(values, value(v))
	}
	return values
}

// number is v, or a string where JSON has no number for it. printed is what stands
// for v otherwise: a float32 has fewer digits than the same value as float64.
func number(v float64, printed any) any {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return printed
}

func pair(c complex128) any {
	return []any{number(real(c), real(c)), number(imag(c), imag(c))}
}
