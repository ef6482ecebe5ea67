package nd

import (
	"errors"
	"reflect"
	"testing"
	"unsafe"

	"github.com/ndring/ndring/proto"
)

// must makes errors of set-up steps fail the test at the step.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func counting(t *testing.T, shape ...int) Array {
	t.Helper()
	a := must[Array](t)(Make(proto.I32, shape...))
	s := must[[]int32](t)(Slice[int32](a))
	for i := range s {
		s[i] = int32(i)
	}
	return a
}

// Check that an array sees the bytes it was formed over, both ways.
func TestArraySharesMemory(t *testing.T) {
	data := alignedBytes(24)
	a := must[Array](t)(New(must[Desc](t)(Contiguous(proto.F32, 2, 3)), data))
	if err := Set[float32](a, 1.5, 1, 2); err != nil {
		t.Fatal(err)
	}
	if data[22] != 0xc0 || data[23] != 0x3f {
		t.Fatalf("bytes % x after storing 1.5 last", data)
	}
	data[0], data[1], data[2], data[3] = 0, 0, 0, 0xc0
	if v := must[float32](t)(At[float32](a, 0, 0)); v != -2 {
		t.Fatalf("first element %v, want -2", v)
	}
	s := must[[]float32](t)(Slice[float32](a))
	if &s[0] != (*float32)(unsafe.Pointer(&data[0])) || len(s) != 6 || cap(s) != 6 {
		t.Fatalf("typed slice is not the memory: len %d cap %d", len(s), cap(s))
	}
}

// Check that shape, strides and sizes can be asked for, and that the zero Array
// answers all of it.
func TestArrayAccessors(t *testing.T) {
	a := counting(t, 2, 3)
	if a.DType() != proto.I32 || a.NDim() != 2 || a.Dim(1) != 3 || a.Stride(0) != 12 || a.Len() != 6 || a.Bytes() != 24 {
		t.Errorf("accessors of %v", a)
	}
	if !reflect.DeepEqual(a.Shape(), []int{2, 3}) || a.Desc().String() != "i32[2,3]" || a.String() != "i32[2,3] 0 1 2 3 …" {
		t.Errorf("shape %v, desc %v, string %q", a.Shape(), a.Desc(), a)
	}
	var z Array
	if z.Len() != 0 || z.Bytes() != 0 || z.NDim() != 0 || !z.IsContiguous() || z.String() != "no array" || len(z.Preview(3)) != 0 {
		t.Errorf("zero array: %d elements, %q", z.Len(), z)
	}
	if _, err := z.Value(); !errors.Is(err, ErrIndex) {
		t.Errorf("zero array: Value: %v", err)
	}
	if _, err := At[float64](z); !errors.Is(err, ErrDType) {
		t.Errorf("zero array: At: %v", err)
	}
	if n, err := z.Copy(nil); n != 0 || err != nil {
		t.Errorf("zero array: Copy: %d, %v", n, err)
	}
	if c := z.Clone(); c.Len() != 0 {
		t.Errorf("zero array: Clone: %v", c)
	}
	if _, err := z.Reshape(0); err == nil {
		t.Error("zero array: Reshape succeeded")
	}
	if _, err := z.Transpose(); err != nil {
		t.Errorf("zero array: Transpose: %v", err)
	}
}

// Check that forming, deriving and reading arrays takes no heap memory: it is
// done once per frame.
func TestNoAllocations(t *testing.T) {
	data, out, shape := alignedBytes(96), make([]byte, 96), make([]int, 0, 8)
	ok := true
	n := testing.AllocsPerRun(100, func() {
		d, err := Contiguous(proto.F64, 3, 4)
		ok = ok && err == nil
		a, err := New(d, data)
		ok = ok && err == nil
		s, err := Slice[float64](a)
		ok = ok && err == nil && len(s) == 12
		v, err := a.Transpose(1, 0)
		ok = ok && err == nil
		v, err = v.Slice(0, 3, -1, -2)
		ok = ok && err == nil && Set[float64](v, 4, 1, 2) == nil
		x, err := At[float64](v, 1, 2)
		ok = ok && err == nil && x == 4
		r, err := v.Index(0, 1)
		ok = ok && err == nil && len(r.AppendShape(shape)) == 1
		c, err := v.Copy(out)
		ok = ok && err == nil && c == 48
		f, err := From(s, 12)
		ok = ok && err == nil && f.Len() == 12
	})
	if n != 0 || !ok {
		t.Fatalf("%v allocations, all steps succeeded: %v", n, ok)
	}
}

// Check that a typed slice is refused for another type, for strided elements and
// for memory that is not aligned, and that At and Values still read the latter.
func TestSliceRefuses(t *testing.T) {
	a := counting(t, 4, 6)
	if _, err := Slice[uint32](a); !errors.Is(err, ErrDType) {
		t.Errorf("another type: %v", err)
	}
	v := must[Array](t)(a.Slice(1, 0, 6, 2))
	if _, err := Slice[int32](v); !errors.Is(err, ErrStrided) {
		t.Errorf("strided: %v", err)
	}
	if _, err := v.Contents(); !errors.Is(err, ErrStrided) {
		t.Errorf("strided bytes: %v", err)
	}
	odd := alignedBytes(17)[1:]
	b := must[Array](t)(New(must[Desc](t)(Contiguous(proto.I64, 2)), odd))
	if _, err := Slice[int64](b); !errors.Is(err, ErrMisaligned) {
		t.Errorf("misaligned: %v", err)
	}
	if err := Set[int64](b, -5, 1); err != nil {
		t.Fatal(err)
	}
	if x := must[int64](t)(At[int64](b, 1)); x != -5 {
		t.Errorf("misaligned element: %d, want -5", x)
	}
}

// Check that an empty array gives an empty slice, not nil and not an error,
// whatever its offset or alignment.
func TestEmptyArray(t *testing.T) {
	a := must[Array](t)(New(describe(proto.F64, []uint64{3, 0}, []int64{1 << 60, 7}), nil))
	s, err := Slice[float64](a)
	if err != nil || s == nil || len(s) != 0 {
		t.Fatalf("%v, %v", s, err)
	}
	a = must[Array](t)(a.Index(0, 2))
	if a = must[Array](t)(a.Slice(0, 0, 0, 1)); a.Len() != 0 || a.NDim() != 1 {
		t.Fatalf("%v", a)
	}
	if _, err := a.Contents(); err != nil {
		t.Fatal(err)
	}
	if _, err := At[float64](a, 0); !errors.Is(err, ErrIndex) {
		t.Fatalf("element of an empty array: %v", err)
	}
	b := must[Array](t)(From([]uint16{}, 2, 0))
	if b.Len() != 0 {
		t.Fatal(b)
	}
	c := must[Array](t)(counting(t, 3, 4).Slice(0, 3, 3, 1))
	if n, err := c.Copy(nil); n != 0 || err != nil {
		t.Fatalf("copy: %d, %v", n, err)
	}
	if c = must[Array](t)(c.Reshape(4, 0, 2)); c.Len() != 0 {
		t.Fatal(c)
	}
}

// Check that indices, axes and slice bounds out of range are errors of their
// kind and change nothing.
func TestIndexErrors(t *testing.T) {
	a := counting(t, 2, 3)
	least, most := -int(^uint(0)>>1)-1, int(^uint(0)>>1)
	for _, idx := range [][]int{{}, {0}, {0, 0, 0}, {2, 0}, {0, 3}, {-1, 0}, {0, -1}, {least, 0}, {0, most}} {
		if _, err := At[int32](a, idx...); !errors.Is(err, ErrIndex) {
			t.Errorf("At%v: %v", idx, err)
		}
		if err := Set[int32](a, 9, idx...); !errors.Is(err, ErrIndex) {
			t.Errorf("Set%v: %v", idx, err)
		}
		if _, err := a.Value(idx...); !errors.Is(err, ErrIndex) {
			t.Errorf("Value%v: %v", idx, err)
		}
	}
	for _, s := range [][4]int{{2, 0, 1, 1}, {-1, 0, 1, 1}, {1, 0, 3, 0}, {1, 0, 4, 1}, {1, -1, 3, 1}, {1, 2, 1, 1},
		{1, 0, 2, -1}, {1, 3, 0, -1}, {1, 2, -2, -1}, {1, least, most, 1}, {1, most, least, -1}} {
		if _, err := a.Slice(s[0], s[1], s[2], s[3]); !errors.Is(err, ErrIndex) {
			t.Errorf("Slice%v: %v", s, err)
		}
	}
	for _, s := range [][2]int{{2, 0}, {-1, 0}, {0, 2}, {1, -1}} {
		if _, err := a.Index(s[0], s[1]); !errors.Is(err, ErrIndex) {
			t.Errorf("Index%v: %v", s, err)
		}
	}
	for _, axes := range [][]int{{0}, {0, 0}, {0, 2}, {-1, 0}, {0, 1, 2}} {
		if _, err := a.Transpose(axes...); !errors.Is(err, ErrIndex) {
			t.Errorf("Transpose%v: %v", axes, err)
		}
	}
	if _, err := a.Reshape(7); !errors.Is(err, proto.ErrShape) {
		t.Errorf("Reshape(7): %v", err)
	}
	tr := must[Array](t)(a.Transpose())
	if _, err := tr.Reshape(6); !errors.Is(err, ErrStrided) {
		t.Errorf("Reshape of a transpose: %v", err)
	}
	if n, err := a.Copy(make([]byte, 23)); n != 0 || !errors.Is(err, ErrShort) {
		t.Errorf("Copy into 23 bytes: %d, %v", n, err)
	}
	if _, err := From([]int8{1, 2, 3}, 2, 2); !errors.Is(err, proto.ErrShape) {
		t.Errorf("From 3 as 2x2: %v", err)
	}
}

// Check that steps near the ends of int select one element and overflow nothing.
func TestSliceHugeSteps(t *testing.T) {
	a := counting(t, 5)
	least, most := -int(^uint(0)>>1)-1, int(^uint(0)>>1)
	for _, c := range []struct{ start, stop, step, n, first int }{
		{1, 5, most, 1, 1}, {4, -1, least, 1, 4}, {4, -1, -most, 1, 4}, {4, -1, -1, 5, 4}, {4, -1, -2, 3, 4}, {0, 5, 4, 2, 0}, {-1, -1, -1, 0, 0}, {2, 2, least, 0, 0},
	} {
		v := must[Array](t)(a.Slice(0, c.start, c.stop, c.step))
		if v.Len() != c.n {
			t.Errorf("%+v: %d elements", c, v.Len())
		} else if c.n > 0 && must[int32](t)(At[int32](v, 0)) != int32(c.first) {
			t.Errorf("%+v: %v", c, v)
		}
	}
}

// Check that a view of one element per axis describes itself so that New takes
// it, however it was sliced: its strides are not used and stay as they were.
func TestSliceOfOneKeepsStride(t *testing.T) {
	a := counting(t, 5, 4)
	v := must[Array](t)(must[Array](t)(a.Slice(0, 4, 3, -1)).Slice(1, 3, 2, -1))
	if err := v.Desc().Validate(4); err != nil {
		t.Fatal(err)
	}
	if x := must[int32](t)(At[int32](v, 0, 0)); x != 19 {
		t.Fatalf("element %d, want 19", x)
	}
}

// Check that a contiguous array is walked as one run, whatever the strides of
// its axes of extent 1, and a matrix with padded rows as one run a row.
func TestRunsMerge(t *testing.T) {
	a := must[Array](t)(New(describe(proto.U8, []uint64{2, 1, 3, 1}, []int64{3, 77, 1, 0}), make([]byte, 6)))
	if r := a.runs(); r.left != 1 || r.n != 6 || r.step != 1 {
		t.Errorf("%d runs of %d, step %d", r.left, r.n, r.step)
	}
	a = must[Array](t)(New(describe(proto.U8, []uint64{2, 2, 3}, []int64{8, 4, 1}), make([]byte, 15)))
	if r := a.runs(); r.left != 4 || r.n != 3 || r.outer != 1 {
		t.Errorf("%d runs of %d, %d outer axes", r.left, r.n, r.outer)
	}
}

// Check that the bytes of a Bool array, which a peer may fill with anything, are
// read as true unless zero, and never become a Go bool of another value.
func TestBoolOfAnyByte(t *testing.T) {
	a := must[Array](t)(New(must[Desc](t)(Contiguous(proto.Bool, 4)), []byte{0, 1, 2, 255}))
	for i, want := range []bool{false, true, true, true} {
		v := must[bool](t)(At[bool](a, i))
		if v != want || *(*byte)(unsafe.Pointer(&v)) > 1 {
			t.Errorf("element %d: %v, byte %d", i, v, *(*byte)(unsafe.Pointer(&v)))
		}
	}
	if s := must[[]uint8](t)(Slice[uint8](a)); s[2] != 2 {
		t.Errorf("bytes %v", s)
	}
	if err := Set(a, true, 0); err != nil {
		t.Fatal(err)
	}
	if v := must[bool](t)(At[bool](a, 0)); !v {
		t.Error("true stored, false read")
	}
}

// Check that a read-only view, and everything derived from it, refuses Set.
func TestReadOnly(t *testing.T) {
	a := counting(t, 2, 3).ReadOnly()
	views := []Array{a, must[Array](t)(a.Reshape(6)), must[Array](t)(a.Index(0, 0)), must[Array](t)(a.Slice(0, 0, 1, 1)), must[Array](t)(a.Transpose())}
	for _, v := range views {
		if err := Set[int32](v, 7, make([]int, v.NDim())...); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", v, err)
		}
	}
	c := a.Clone()
	if err := Set[int32](c, 7, 0, 0); err != nil {
		t.Errorf("clone: %v", err)
	}
	if v := must[int32](t)(At[int32](a, 0, 0)); v != 0 {
		t.Errorf("storing to the clone changed the origin to %d", v)
	}
}

// Check that every element type goes through From, At, Set, Slice, Values, Value
// and Clone unchanged.
func TestEveryType(t *testing.T) {
	everyType(t, proto.F64, []float64{1.5, -2.25, 1e300})
	everyType(t, proto.F32, []float32{1.5, -2.25, 1e30})
	everyType(t, proto.F16, []Float16{0x3c00, 0xc000, 0x7bff})
	everyType(t, proto.I8, []int8{1, -128, 127})
	everyType(t, proto.I16, []int16{1, -32768, 32767})
	everyType(t, proto.I32, []int32{1, -1 << 31, 1<<31 - 1})
	everyType(t, proto.I64, []int64{1, -1 << 63, 1<<63 - 1})
	everyType(t, proto.U8, []uint8{1, 0, 255})
	everyType(t, proto.U16, []uint16{1, 0, 65535})
	everyType(t, proto.U32, []uint32{1, 0, 1<<32 - 1})
	everyType(t, proto.U64, []uint64{1, 0, 1<<64 - 1})
	everyType(t, proto.C64, []complex64{1 + 2i, -3i, 4})
	everyType(t, proto.C128, []complex128{1 + 2i, -3i, 4})
}

func everyType[T Number](t *testing.T, dt proto.DType, values []T) {
	t.Helper()
	a := must[Array](t)(From(values))
	if a.DType() != dt || a.Dim(0) != len(values) || DTypeOf[T]() != dt {
		t.Fatalf("%v: %v", dt, a)
	}
	if s := must[[]T](t)(Slice[T](a)); &s[0] != &values[0] {
		t.Errorf("%v: the slice is a copy", dt)
	}
	c := a.Clone()
	if err := Set(c, values[0], 2); err != nil {
		t.Fatal(err)
	}
	if must[T](t)(At[T](c, 2)) != values[0] || must[T](t)(At[T](c, 1)) != values[1] || must[any](t)(a.Value(2)) != any(values[2]) {
		t.Errorf("%v: %v", dt, c)
	}
	rev := must[Array](t)(a.Slice(0, 2, -1, -1))
	i := len(values)
	for v := range must[func(func(T) bool)](t)(valuesFunc[T](rev)) {
		if i--; v != values[i] {
			t.Errorf("%v: value %d reversed: %v", dt, i, v)
		}
	}
	packed := make([]byte, rev.Bytes())
	_ = must[int](t)(rev.Copy(packed))
	back := must[Array](t)(New(must[Desc](t)(rev.Desc().Packed()), packed))
	if must[T](t)(At[T](back, 0)) != values[2] {
		t.Errorf("%v: packed reverse %v", dt, back)
	}
}

func valuesFunc[T Elem](a Array) (func(func(T) bool), error) {
	seq, err := Values[T](a)
	return seq, err
}
