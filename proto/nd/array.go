package nd

import (
	"github.com/ndring/ndring/proto"
)

// Array is an N-d view of bytes it does not own. It is a value: copying it
// copies the view, never the elements, and methods return new views. Its
// methods may be called concurrently; access to elements follows the rules of
// any Go slice. The zero Array has no element type and no elements.
type Array struct {
	data     []byte
	offset   int // of the element with all indices 0
	elems    int
	shape    [proto.MaxDims]int
	strides  [proto.MaxDims]int // bytes; negative only in derived views
	dtype    proto.DType
	ndim     uint8
	readOnly bool
}

// New returns the array that d describes in data. It keeps data, copies nothing
// and allocates nothing. The error is that of Desc.Validate.
func New(d Desc, data []byte) (Array, error) {
	n, err := d.check(len(data))
	if err != nil {
		return Array{}, err
	}
	a := Array{data: data, elems: n, dtype: d.DType, ndim: uint8(d.NDim)}
	for i := range d.NDim {
		a.shape[i], a.strides[i] = int(d.Shape[i]), int(d.Strides[i])
	}
	return a, nil
}

// Make returns a zeroed contiguous array on the heap, aligned for every element
// type. The errors are those of Contiguous; memory is the caller's concern.
func Make(dt proto.DType, shape ...int) (Array, error) {
	d, err := Contiguous(dt, shape...)
	if err != nil {
		return Array{}, err
	}
	return New(d, alignedBytes(d.Bytes()))
}

// DType returns the element type.
func (a Array) DType() proto.DType { return a.dtype }

// NDim returns the number of dimensions.
func (a Array) NDim() int { return int(a.ndim) }

// Dim returns the extent of an axis. It panics when there is no such axis.
func (a Array) Dim(axis int) int { return a.shape[:a.ndim][axis] }

// Stride returns the bytes from one index of an axis to the next, negative in a
// view sliced backwards. It panics when there is no such axis.
func (a Array) Stride(axis int) int { return a.strides[:a.ndim][axis] }

// Shape returns the extents in a new slice.
func (a Array) Shape() []int { return a.AppendShape(make([]int, 0, a.ndim)) }

// AppendShape appends the extents to dst; with room in dst it does not allocate.
func (a Array) AppendShape(dst []int) []int { return append(dst, a.shape[:a.ndim]...) }

// Len returns the number of elements: the product of the extents, 1 without
// dimensions.
func (a Array) Len() int { return a.elems }

// Bytes returns the size of the elements when packed.
func (a Array) Bytes() int { return a.elems * a.dtype.Size() }

// Desc returns the description of a. Its strides are negative where a view was
// sliced backwards, and then New refuses it.
func (a Array) Desc() Desc {
	d := Desc{DType: a.dtype, NDim: int(a.ndim)}
	for i := range d.NDim {
		d.Shape[i], d.Strides[i] = uint64(a.shape[i]), int64(a.strides[i])
	}
	return d
}

// IsContiguous reports whether the elements lie in C order without gaps, as in
// Desc.IsContiguous.
func (a Array) IsContiguous() bool {
	want := a.dtype.Size()
	for i := int(a.ndim) - 1; i >= 0 && a.elems > 0; i-- {
		if a.shape[i] != 1 && a.strides[i] != want {
			return false
		}
		want *= a.shape[i]
	}
	return true
}

// Contents returns the bytes of the elements in place. The error wraps
// ErrStrided when they are not contiguous; Copy packs those.
func (a Array) Contents() ([]byte, error) {
	if !a.IsContiguous() {
		return nil, stridedError(a)
	}
	n := a.Bytes()
	return a.data[a.offset : a.offset+n : a.offset+n], nil
}

// ReadOnly returns a view whose elements Set refuses to change. Slices taken
// from it can still be stored to, which faults where the memory is mapped
// read-only.
func (a Array) ReadOnly() Array {
	a.readOnly = true
	return a
}
