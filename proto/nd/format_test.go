package nd

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Check that a preview shows the first elements in C order of the view, as short
// as their type allows, and no more than there are.
func TestPreview(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		a    Array
		n    int
		want []string
	}{
		{must[Array](t)(From([]float64{0.1, 1e300, -0.5})), 2, []string{"0.1", "1e+300"}},
		{must[Array](t)(From([]float32{0.1, nan})), 9, []string{"0.1", "NaN"}},
		{must[Array](t)(From([]Float16{0x2e66})), 9, []string{"0.1"}},
		{must[Array](t)(From([]bool{true, false})), 9, []string{"true", "false"}},
		{must[Array](t)(From([]complex64{1 - 2i})), 9, []string{"(1-2i)"}},
		{must[Array](t)(From([]int8{-7})), 0, nil},
		{must[Array](t)(From([]int8{-7})), -1, nil},
		{must[Array](t)(From([]uint64{1<<64 - 1})), 1, []string{"18446744073709551615"}},
		{must[Array](t)(must[Array](t)(From([]int16{1, 2, 3, 4}, 2, 2)).Transpose()), 3, []string{"1", "3", "2"}},
	} {
		if got := c.a.Preview(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%s: first %d: %q, want %q", c.a, c.n, got, c.want)
		}
	}
}

// Check that a preview of a broadcast array, whose elements outnumber its bytes
// beyond counting, returns at once.
func TestPreviewOfBroadcast(t *testing.T) {
	a := must[Array](t)(New(describe(proto.U8, []uint64{1 << 24, 1 << 23}, []int64{0, 0}), []byte{42}))
	if got := a.Preview(2); !slices.Equal(got, []string{"42", "42"}) {
		t.Errorf("%q", got)
	}
}

// Check that every type but the complex ones converts to float64 in C order.
func TestFloat64s(t *testing.T) {
	for _, a := range []Array{
		must[Array](t)(From([]float64{0, 1, 3})), must[Array](t)(From([]float32{0, 1, 3})), must[Array](t)(From([]Float16{0, 0x3c00, 0x4200})),
		must[Array](t)(From([]int8{0, 1, 3})), must[Array](t)(From([]int16{0, 1, 3})), must[Array](t)(From([]int32{0, 1, 3})), must[Array](t)(From([]int64{0, 1, 3})),
		must[Array](t)(From([]uint8{0, 1, 3})), must[Array](t)(From([]uint16{0, 1, 3})), must[Array](t)(From([]uint32{0, 1, 3})), must[Array](t)(From([]uint64{0, 1, 3})),
		must[Array](t)(From([]bool{false, true, true})),
	} {
		want := []float64{3, 1, 0}
		if a.DType() == proto.Bool {
			want[0] = 1
		}
		values, err := must[Array](t)(a.Slice(0, 2, -1, -1)).Float64s()
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		if got := slices.Collect(values); !slices.Equal(got, want) {
			t.Errorf("%s: %v", a, got)
		}
		for range values {
			break // an iterator must stop when asked to
		}
	}
	for _, a := range []Array{must[Array](t)(From([]complex64{1})), must[Array](t)(From([]complex128{1})), {}} {
		if _, err := a.Float64s(); !errors.Is(err, ErrDType) {
			t.Errorf("%s: %v", a, err)
		}
	}
}
