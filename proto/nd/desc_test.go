package nd

import (
	"errors"
	"math"
	"testing"

	"github.com/ndring/ndring/proto"
)

func describe(dt proto.DType, shape []uint64, strides []int64) Desc {
	d := Desc{DType: dt, NDim: len(shape)}
	copy(d.Shape[:], shape)
	copy(d.Strides[:], strides)
	return d
}

// Check that C-order strides, counts and names come out right, with zero extents,
// without dimensions and with the most dimensions.
func TestContiguous(t *testing.T) {
	for _, c := range []struct {
		dt      proto.DType
		shape   []int
		strides []int64
		elems   int
		name    string
	}{
		{proto.F64, nil, nil, 1, "f64[]"},
		{proto.F64, []int{5}, []int64{8}, 5, "f64[5]"},
		{proto.F32, []int{3, 224, 224}, []int64{200704, 896, 4}, 150528, "f32[3,224,224]"},
		{proto.C128, []int{2, 0, 3}, []int64{48, 48, 16}, 0, "c128[2,0,3]"},
		{proto.U8, []int{1, 1, 1, 1, 1, 1, 1, 2}, []int64{2, 2, 2, 2, 2, 2, 2, 1}, 2, "u8[1,1,1,1,1,1,1,2]"},
	} {
		d, err := Contiguous(c.dt, c.shape...)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		shape := make([]uint64, len(c.shape))
		for i, n := range c.shape {
			shape[i] = uint64(n)
		}
		if want := describe(c.dt, shape, c.strides); d != want {
			t.Errorf("%s: %+v, want %+v", c.name, d, want)
		}
		if d.Elems() != c.elems || d.Bytes() != c.elems*c.dt.Size() || !d.IsContiguous() || d.String() != c.name {
			t.Errorf("%s: %d elements, %d bytes, contiguous %v, %q", c.name, d.Elems(), d.Bytes(), d.IsContiguous(), d)
		}
	}
}

// Check that shapes no frame can hold are refused: negative, too many
// dimensions, products that overflow 48, 63 or 64 bits, hidden behind a zero.
func TestContiguousRefuses(t *testing.T) {
	for _, c := range []struct {
		dt    proto.DType
		shape []int
	}{
		{0, nil}, {15, []int{1}}, {255, []int{0}},
		{proto.U8, []int{-1}},
		{proto.U8, []int{0, -1}},
		{proto.U8, make([]int, proto.MaxDims+1)},
		{proto.U8, []int{1 << 48}},
		{proto.C128, []int{1 << 44}},
		{proto.U8, []int{1 << 32, 1 << 32}},
		{proto.U8, []int{1 << 32, 1 << 31}},
		{proto.U8, []int{math.MaxInt, math.MaxInt, 2}},
		{proto.U8, []int{0, 1 << 32, 1 << 32}},
		{proto.U8, []int{0, math.MaxInt}},
	} {
		d, err := Contiguous(c.dt, c.shape...)
		if !errors.Is(err, proto.ErrShape) || d != (Desc{}) {
			t.Errorf("%v%v: %+v, %v; want ErrShape", c.dt, c.shape, d, err)
		}
	}
	if d, err := Contiguous(proto.U8, 1<<48-1); err != nil || d.Bytes() != proto.MaxPayloadBytes {
		t.Errorf("the largest array: %v, %v", d, err)
	}
}

// Check that a description is accepted exactly when its last byte lies in the
// payload: one byte less is refused.
func TestValidateBounds(t *testing.T) {
	for _, c := range []struct {
		dt      proto.DType
		shape   []uint64
		strides []int64
		span    int
	}{
		{proto.F64, nil, nil, 8},
		{proto.F64, []uint64{5}, []int64{8}, 40},
		{proto.F64, []uint64{5}, []int64{0}, 8},
		{proto.F64, []uint64{5}, []int64{13}, 60},
		{proto.F32, []uint64{2, 3}, []int64{4, 8}, 24},
		{proto.F32, []uint64{2, 3}, []int64{100, 4}, 112},
		{proto.U8, []uint64{1}, []int64{math.MaxInt64}, 1},
		{proto.U8, []uint64{1, 4}, []int64{1 << 50, 1}, 4},
		{proto.U8, []uint64{0, 4}, []int64{1 << 62, 1 << 62}, 0},
		{proto.U8, []uint64{1 << 20, 1 << 20}, []int64{0, 0}, 1},
	} {
		d := describe(c.dt, c.shape, c.strides)
		if err := d.Validate(c.span); err != nil {
			t.Errorf("%s strides %v in %d bytes: %v", d, c.strides, c.span, err)
		}
		if err := d.Validate(c.span - 1); !errors.Is(err, proto.ErrShape) {
			t.Errorf("%s strides %v in %d bytes: %v; want ErrShape", d, c.strides, c.span-1, err)
		}
	}
}

// Check that descriptions whose products wrap around, and negative strides even
// where no element uses them, are refused with a payload that would fit the
// wrapped result.
func TestValidateRefuses(t *testing.T) {
	for name, d := range map[string]Desc{
		"dtype 0":               describe(0, nil, nil),
		"dtype 200":             describe(200, nil, nil),
		"9 dimensions":          {DType: proto.U8, NDim: 9},
		"-1 dimensions":         {DType: proto.U8, NDim: -1},
		"negative stride":       describe(proto.U8, []uint64{2}, []int64{-1}),
		"unused negative":       describe(proto.U8, []uint64{1}, []int64{-1}),
		"empty negative":        describe(proto.U8, []uint64{0, 2}, []int64{1, -1}),
		"least stride":          describe(proto.U8, []uint64{3}, []int64{math.MinInt64}),
		"reach wraps to 0":      describe(proto.U8, []uint64{1<<33 + 1}, []int64{1 << 31}),
		"reach wraps exactly":   describe(proto.U8, []uint64{5}, []int64{1 << 62}),
		"sum wraps":             describe(proto.U8, []uint64{2, 2, 2}, []int64{math.MaxInt64, math.MaxInt64, 2}),
		"count wraps":           describe(proto.U8, []uint64{1 << 32, 1 << 32}, []int64{0, 0}),
		"extent above int":      describe(proto.U8, []uint64{math.MaxUint64}, []int64{0}),
		"extent above int, 0":   describe(proto.U8, []uint64{0, math.MaxUint64}, []int64{0, 0}),
		"count beyond a frame":  describe(proto.F64, []uint64{1 << 46}, []int64{0}),
		"eight huge dimensions": describe(proto.U8, []uint64{1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20}, make([]int64, 8)),
	} {
		if err := d.Validate(1 << 40); !errors.Is(err, proto.ErrShape) {
			t.Errorf("%s: %v; want ErrShape", name, err)
		}
	}
	if err := describe(proto.U8, nil, nil).Validate(-1); !errors.Is(err, proto.ErrShape) {
		t.Errorf("negative payload: %v; want ErrShape", err)
	}
	bad := describe(0, []uint64{2}, nil)
	if bad.Elems() != -1 || bad.Bytes() != -1 || bad.IsContiguous() {
		t.Errorf("invalid description: %d elements, %d bytes, contiguous %v", bad.Elems(), bad.Bytes(), bad.IsContiguous())
	}
}

// Check that contiguity ignores axes of extent 1 and empty arrays, and nothing else.
func TestDescIsContiguous(t *testing.T) {
	for _, c := range []struct {
		shape   []uint64
		strides []int64
		want    bool
	}{
		{[]uint64{2, 3}, []int64{12, 4}, true},
		{[]uint64{2, 3}, []int64{4, 8}, false},
		{[]uint64{2, 1, 3}, []int64{12, 999, 4}, true},
		{[]uint64{2, 3}, []int64{16, 4}, false},
		{[]uint64{2, 3}, []int64{0, 4}, false},
		{[]uint64{0, 3}, []int64{1, 1}, true},
	} {
		if got := describe(proto.F32, c.shape, c.strides).IsContiguous(); got != c.want {
			t.Errorf("%v %v: %v", c.shape, c.strides, got)
		}
	}
}

// Check that arbitrary descriptions over a small payload are either refused or
// give an array whose every corner and first elements can be read.
func FuzzNew(f *testing.F) {
	f.Add(uint8(1), 2, uint64(2), uint64(3), uint64(0), int64(24), int64(8), int64(0), 48)
	f.Add(uint8(8), 3, uint64(1<<33+1), uint64(2), uint64(1), int64(1<<31), int64(0), int64(-1), 64)
	f.Add(uint8(14), 3, uint64(5), uint64(5), uint64(5), int64(0), int64(1), int64(2), 255)
	f.Fuzz(func(t *testing.T, code uint8, ndim int, n0, n1, n2 uint64, s0, s1, s2 int64, size int) {
		data := make([]byte, size&0xfff)
		d := describe(proto.DType(code), []uint64{n0, n1, n2}, []int64{s0, s1, s2})
		d.NDim = ndim
		a, err := New(d, data)
		if err != nil {
			return
		}
		a.Preview(3)
		if a.IsContiguous() {
			if _, err := a.Contents(); err != nil {
				t.Fatal(err)
			}
		}
		if a.Len() == 0 {
			return
		}
		first, last := make([]int, ndim), make([]int, ndim)
		for i := range ndim {
			last[i] = a.Dim(i) - 1
		}
		for _, idx := range [][]int{first, last} {
			if _, err := a.Value(idx...); err != nil {
				t.Fatalf("%s: %v: %v", a, idx, err)
			}
		}
		for i := range ndim {
			r, err := a.Slice(i, last[i], -1, -1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Value(last...); err != nil {
				t.Fatal(err)
			}
		}
	})
}
