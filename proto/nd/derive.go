package nd

import (
	"fmt"

	"github.com/ndring/ndring/proto"
)

// Slice restricts one axis to the indices start, start+step, … before stop. All
// bounds are absolute. With step > 0 they satisfy 0 ≤ start ≤ stop ≤ Dim(axis);
// with step < 0 the walk goes down and Dim(axis) > start ≥ stop ≥ -1, so that
// (n-1, -1, -1) reverses an axis of n. Anything else is an error that wraps
// ErrIndex. The view shares memory with a.
func (a Array) Slice(axis, start, stop, step int) (Array, error) {
	if axis < 0 || axis >= int(a.ndim) {
		return Array{}, axisError(axis, a)
	}
	dim := a.shape[axis]
	up := step > 0 && 0 <= start && start <= stop && stop <= dim
	down := step < 0 && dim > start && start >= stop && stop >= -1
	if !up && !down {
		return Array{}, fmt.Errorf("slice axis %d: %w: %d:%d:%d of %d", axis, ErrIndex, start, stop, step, dim)
	}
	n := sliceLen(start, stop, step)
	if dim > 0 {
		a.elems = a.elems / dim * n
	}
	a.shape[axis] = n
	if a.elems > 0 {
		a.offset += start * a.strides[axis]
	}
	if n > 1 { // otherwise the stride is not used and its product with step may not fit
		a.strides[axis] *= step
	}
	return a, nil
}

// sliceLen counts the indices without forming a sum that overflows. -step does for
// the least int, and the quotient is then 0 as it should be.
func sliceLen(start, stop, step int) int {
	switch {
	case start == stop:
		return 0
	case step > 0:
		return 1 + (stop-start-1)/step
	default:
		return 1 + (start-stop-1)/-step
	}
}

// Index fixes the index of one axis and drops the axis. The error wraps
// ErrIndex. The view shares memory with a.
func (a Array) Index(axis, i int) (Array, error) {
	if axis < 0 || axis >= int(a.ndim) {
		return Array{}, axisError(axis, a)
	}
	dim := a.shape[axis]
	if i < 0 || i >= dim {
		return Array{}, fmt.Errorf("index axis %d: %w: %d of %d", axis, ErrIndex, i, dim)
	}
	if a.elems > 0 {
		a.offset += i * a.strides[axis]
	}
	a.elems /= dim
	last := int(a.ndim) - 1
	copy(a.shape[axis:last], a.shape[axis+1:])
	copy(a.strides[axis:last], a.strides[axis+1:])
	a.shape[last], a.strides[last] = 0, 0
	a.ndim--
	return a, nil
}

// Transpose reorders the axes: axis i of the result is axis axes[i] of a.
// Without arguments it reverses them. The error wraps ErrIndex when axes is not
// a permutation. The view shares memory with a.
func (a Array) Transpose(axes ...int) (Array, error) {
	n := int(a.ndim)
	if len(axes) != 0 && len(axes) != n {
		return Array{}, fmt.Errorf("transpose: %w: %d axes for %d dimensions", ErrIndex, len(axes), n)
	}
	t, seen := a, [proto.MaxDims]bool{}
	for i := range n {
		from := n - 1 - i
		if len(axes) != 0 {
			from = axes[i]
		}
		if from < 0 || from >= n || seen[from] {
			return Array{}, fmt.Errorf("transpose: %w: axis %d is out of range or named twice", ErrIndex, from)
		}
		seen[from] = true
		t.shape[i], t.strides[i] = a.shape[from], a.strides[from]
	}
	return t, nil
}

// Reshape gives the same elements another shape; without arguments, one element
// without dimensions. The error wraps ErrStrided when a is not contiguous and
// proto.ErrShape when the number of elements differs. The view shares memory
// with a.
func (a Array) Reshape(shape ...int) (Array, error) {
	if !a.IsContiguous() {
		return Array{}, stridedError(a)
	}
	d, err := Contiguous(a.dtype, shape...)
	if err != nil {
		return Array{}, err
	}
	if d.Elems() != a.elems {
		return Array{}, fmt.Errorf("reshape %s: %w: %s has %d elements, not %d", a.Desc(), proto.ErrShape, d, d.Elems(), a.elems)
	}
	r, err := New(d, a.data[a.offset:a.offset+a.Bytes()])
	r.readOnly = a.readOnly
	return r, err
}

func axisError(axis int, a Array) error {
	return fmt.Errorf("%w: axis %d of %d", ErrIndex, axis, a.ndim)
}

func stridedError(a Array) error {
	d := a.Desc()
	return fmt.Errorf("%w: %s has strides %s, copy it first", ErrStrided, d, d.strideString())
}
