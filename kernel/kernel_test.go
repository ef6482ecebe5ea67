package kernel

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Check that the registry is sorted and that every entry builds a kernel of its
// name from zero parameters.
func TestRegistry(t *testing.T) {
	entries := Registry()
	if !slices.IsSortedFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted")
	}
	for _, e := range entries {
		k, err := New(e.Name, Params{})
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if k.Name() != e.Name || e.Doc == "" {
			t.Errorf("entry %q builds %q, doc %q", e.Name, k.Name(), e.Doc)
		}
	}
}

// Check that an unknown name is refused with the known ones listed.
func TestUnknownKernel(t *testing.T) {
	_, err := New("cosec", Params{})
	if !errors.Is(err, ErrUnknownKernel) {
		t.Fatalf("error %v", err)
	}
	for _, e := range Registry() {
		if !strings.Contains(err.Error(), e.Name) {
			t.Errorf("%v: does not list %s", err, e.Name)
		}
	}
	if !strings.Contains(err.Error(), `"cosec"`) {
		t.Errorf("%v: does not name the unknown one", err)
	}
}

// apply returns f(x) of the named kernel.
func apply(t *testing.T, name string, p Params, x ...float64) []float64 {
	t.Helper()
	k, err := New(name, p)
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float64, len(x))
	k.Apply(y, x)
	return y
}

// Check that every kernel's ApplyDelta agrees with Apply, forms the difference
// to the frame before and keeps the new one, for no, one and many elements.
func TestApplyDelta(t *testing.T) {
	for _, e := range Registry() {
		k, err := New(e.Name, Params{Scale: 3, Offset: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 100} {
			x, y := benchInput(n), make([]float64, n)
			d, last, want := make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range last {
				last[i] = 1 / float64(i+3)
			}
			before := slices.Clone(last)
			k.Apply(want, x)
			k.ApplyDelta(y, d, last, x)
			for i := range x {
				if y[i] != want[i] || last[i] != want[i] || d[i] != want[i]-before[i] {
					t.Errorf("%s, element %d of %d: y %v, d %v, last %v", e.Name, i, n, y[i], d[i], last[i])
				}
			}
		}
	}
}

// Check that no method of any kernel allocates.
func TestNoAllocation(t *testing.T) {
	x, y, d, last := benchInput(45), make([]float64, 45), make([]float64, 45), make([]float64, 45)
	for _, e := range Registry() {
		k, err := New(e.Name, Params{})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() { k.Apply(y, x); k.ApplyDelta(y, d, last, x) }); n != 0 {
			t.Errorf("%s: %v allocations", e.Name, n)
		}
	}
}

// Check that one kernel serves many goroutines at once.
func TestConcurrent(t *testing.T) {
	for _, e := range Registry() {
		k, err := New(e.Name, Params{})
		if err != nil {
			t.Fatal(err)
		}
		x, want := benchInput(77), make([]float64, 77)
		k.Apply(want, x)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				y, d, last := make([]float64, 77), make([]float64, 77), make([]float64, 77)
				for range 50 {
					k.ApplyDelta(y, d, last, x)
				}
				if !slices.Equal(y, want) {
					t.Errorf("%s: results differ between goroutines", e.Name)
				}
			})
		}
		all.Wait()
	}
}

// Check that special values follow the seed protocol in arcsec and asec: NaN
// stays, +Inf is π/2, whatever lies below 1.0001 counts as 1.0001.
func TestArcSpecialValues(t *testing.T) {
	for _, name := range []string{"arcsec", "asec"} {
		y := apply(t, name, Params{}, math.NaN(), math.Inf(1), math.Inf(-1), 0, -5, 1, clipMin, math.Nextafter(clipMin, 2), 0x1p60, 0x1p61, math.MaxFloat64)
		if !math.IsNaN(y[0]) || y[1] != 15*math.Pi/2 {
			t.Errorf("%s: NaN gives %v, +Inf gives %v", name, y[0], y[1])
		}
		for i := 2; i < 6; i++ {
			if y[i] != y[6] {
				t.Errorf("%s: clipped value %d gives %v, want %v", name, i, y[i], y[6])
			}
		}
		if y[7] < y[6] || y[8] != y[1] || y[9] != y[1] || y[10] != y[1] {
			t.Errorf("%s: not increasing: %v", name, y)
		}
	}
}

// Check that interp is exact at its points, straight between them, constant
// beyond them, and passes NaN on.
func TestInterp(t *testing.T) {
	p := Params{Model: Model{Fx: []float64{-1, 0, 4}, Fy: []float64{5, 1, -7}}}
	inf := math.Inf(1)
	x := []float64{-inf, -2, -1, -0.5, 0, 1, 2, 4, 5, inf}
	want := []float64{5, 5, 5, 3, 1, -1, -3, -7, -7, -7}
	if y := apply(t, "interp", p, x...); !slices.Equal(y, want) {
		t.Errorf("interp(%v) = %v, want %v", x, y, want)
	}
	if y := apply(t, "interp", p, math.NaN()); !math.IsNaN(y[0]) {
		t.Errorf("interp(NaN) = %v", y[0])
	}
	if y := apply(t, "interp", constantModel(8), -3, 1, 9); !slices.Equal(y, []float64{8, 8, 8}) {
		t.Errorf("one point: %v", y)
	}
}

// Check that interp finds the segment for tables of every size up to 40, and at a
// point the one that starts there, which gives fy without rounding.
func TestInterpSegments(t *testing.T) {
	for n := 2; n <= 40; n++ {
		m := Model{Fx: make([]float64, n), Fy: make([]float64, n)}
		for i := range n {
			m.Fx[i], m.Fy[i] = math.Sqrt(float64(i)), math.Exp(float64(-i))
		}
		for i := range n - 1 {
			x := (m.Fx[i] + m.Fx[i+1]) / 2
			y := apply(t, "interp", Params{Model: m}, m.Fx[i], x)
			if y[0] != m.Fy[i] || math.Abs(y[1]-(m.Fy[i]+m.Fy[i+1])/2) > 1e-15 {
				t.Errorf("%d points, segment %d: %v", n, i, y)
			}
		}
	}
}

// Check that affine rounds the product before the sum: fused it would give 2^-60.
func TestAffineNotFused(t *testing.T) {
	x := 1 + 0x1p-30
	p := Params{Scale: x, Offset: -(1 + 0x1p-29)}
	for l := levelGo; l <= bestLevel(); l++ {
		y := make([]float64, 33)
		in := slices.Repeat([]float64{x}, 33)
		newAt(t, "affine", p, l).Apply(y, in)
		for i, v := range y {
			if v != 0 {
				t.Errorf("%s, element %d: %x, want 0", l, i, v)
			}
		}
	}
}
