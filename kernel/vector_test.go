package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// newAt returns a kernel as New would on a machine whose best level is l.
func newAt(tb testing.TB, name string, p Params, l level) Kernel {
	tb.Helper()
	for _, e := range Registry() {
		if e.Name != name {
			continue
		}
		k, err := e.New(p)
		if err != nil {
			tb.Fatal(err)
		}
		return atLevel(k, l)
	}
	tb.Fatalf("no kernel %q", name)
	return nil
}

// vectorLevels returns the levels above plain Go that this CPU offers.
func vectorLevels() []level {
	var list []level
	for l := levelGo + 1; l <= bestLevel(); l++ {
		list = append(list, l)
	}
	return list
}

// drawDomain returns n values over the whole domain, special ones among them.
func drawDomain(r *rand.Rand, n int) []float64 {
	special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1, clipMin, 2, math.MaxFloat64, 5e-324,
		math.Nextafter(2, 0), math.Nextafter(2, 3), math.Nextafter(clipMin, 2), 0x1p1023, 0x1.fffffffffffffp1022}
	regs := regions()
	x := make([]float64, n)
	for i := range x {
		if k := r.IntN(len(regs) + 1); k < len(regs) {
			x[i] = regs[k].draw(r)
		} else {
			x[i] = special[r.IntN(len(special))]
		}
	}
	return x
}

func sameFloat(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || (math.IsNaN(a) && math.IsNaN(b))
}

// hasVector reports whether vector versions of a kernel exist.
func hasVector(name string) bool {
	return name == "arcsec" || name == "affine" || name == "identity" || name == "delta"
}

// forEachLevel runs check for every kernel that has vector versions and every
// level, and skips by name those whose instructions this CPU lacks.
func forEachLevel(t *testing.T, check func(t *testing.T, reference, vector Kernel)) {
	params := Params{Scale: -1.7, Offset: 0.3}
	for _, l := range []level{levelAVX2, levelAVX512} {
		t.Run(l.String(), func(t *testing.T) {
			if l > bestLevel() {
				t.Skipf("this CPU or build offers %s at most", bestLevel())
			}
			for _, e := range Registry() {
				if hasVector(e.Name) {
					check(t, newAt(t, e.Name, params, levelGo), newAt(t, e.Name, params, l))
				}
			}
		})
	}
}

// Check that the vector versions return the bits of plain Go over the whole
// domain, special values included.
func TestVectorBits(t *testing.T) {
	r := rand.New(rand.NewPCG(accuracySeed, 2))
	x := drawDomain(r, 200*accuracySamples(t)+1)
	forEachLevel(t, func(t *testing.T, reference, vector Kernel) {
		want, got := make([]float64, len(x)), make([]float64, len(x))
		reference.Apply(want, x)
		vector.Apply(got, x)
		compareFloats(t, reference.Name(), x, got, want)
	})
}

// Check that the vector versions take the same case as plain Go where q is
// exactly 1/2, for many means since most give the same bits in both cases.
func TestVectorCaseBorder(t *testing.T) {
	r := rand.New(rand.NewPCG(accuracySeed, 4))
	x := slices.Repeat([]float64{2}, 24+8+3)
	for _, l := range vectorLevels() {
		for range 300 {
			p := constantModel(1 + r.Float64())
			want, got := make([]float64, len(x)), make([]float64, len(x))
			newAt(t, "arcsec", p, levelGo).Apply(want, x)
			newAt(t, "arcsec", p, l).Apply(got, x)
			if !compareFloats(t, l.String(), x, got, want) {
				return
			}
		}
	}
}

// compareFloats reports the first place where got and want differ.
func compareFloats(t *testing.T, what string, x, got, want []float64) bool {
	t.Helper()
	for i := range want {
		if !sameFloat(got[i], want[i]) {
			t.Errorf("%s: element %d of %d: x = %x gives %x, want %x (seed %d)",
				what, i, len(x), x[i], got[i], want[i], accuracySeed)
			return false
		}
	}
	return true
}

// Check that every length from 0 to 1000 gives the same bits as plain Go, and
// that nothing is written before the slices or behind them.
func TestVectorLengths(t *testing.T) {
	pool := newPool(1000)
	forEachLevel(t, func(t *testing.T, reference, vector Kernel) {
		for n := range 1001 {
			if !checkShape(t, reference, vector, pool, n, [4]int{1, 2, 3, 4}) {
				return
			}
		}
	})
}

// Check that every combination of misalignments within 64 bytes works.
func TestVectorAlignments(t *testing.T) {
	pool := newPool(53)
	forEachLevel(t, func(t *testing.T, reference, vector Kernel) {
		for i := range 8 * 8 * 8 * 8 {
			shift := [4]int{i & 7, i >> 3 & 7, i >> 6 & 7, i >> 9 & 7}
			for _, n := range []int{5, 53} {
				if !checkShape(t, reference, vector, pool, n, shift) {
					return
				}
			}
		}
	})
}

// guarded is a slice inside a larger one whose other elements must not change.
type guarded struct{ whole, inner []float64 }

const guardWidth = 16

// newGuarded returns the first n of values between guards, shift elements off the
// alignment of 64 bytes that large enough Go slices have.
func newGuarded(values []float64, n, shift int) guarded {
	whole := make([]float64, n+2*guardWidth+8)
	for i := range whole {
		whole[i] = -7
	}
	g := guarded{whole, whole[guardWidth+shift:][:n]}
	copy(g.inner, values)
	return g
}

// pool holds what checkShape fills slices from: inputs, and three sets of values
// that stand in y, d and last before.
type pool [4][]float64

func newPool(n int) pool {
	r := rand.New(rand.NewPCG(accuracySeed, 5))
	p := pool{drawDomain(r, n)}
	for i := range p[1:] {
		p[i+1] = make([]float64, n)
		for j := range n {
			p[i+1][j] = 4 * r.Float64()
		}
	}
	return p
}

// checkShape compares Apply, Apply in place and ApplyDelta of two kernels.
func checkShape(t *testing.T, reference, vector Kernel, p pool, n int, shift [4]int) bool {
	t.Helper()
	x := newGuarded(p[0], n, shift[0])
	same := newGuarded(p[0], n, shift[0])
	alone := newGuarded(p[1], n, shift[1])
	var want, got [3]guarded // y, d, last
	for i := range want {
		want[i] = newGuarded(p[i+1], n, shift[i+1])
		got[i] = newGuarded(p[i+1], n, shift[i+1])
	}
	reference.ApplyDelta(want[0].inner, want[1].inner, want[2].inner, x.inner)
	vector.ApplyDelta(got[0].inner, got[1].inner, got[2].inner, x.inner)
	vector.Apply(alone.inner, x.inner)
	vector.Apply(same.inner, same.inner)
	ok := true
	for i, what := range []string{"y", "d", "last"} {
		ok = ok && compareFloats(t, reference.Name()+" "+what, want[i].whole, got[i].whole, want[i].whole)
	}
	return ok && compareFloats(t, reference.Name()+" Apply", want[0].whole, alone.whole, want[0].whole) &&
		compareFloats(t, reference.Name()+" in place", x.inner, same.inner, want[0].inner)
}

// Check that DELTA is the rounded difference of two consecutive results and
// that last becomes the newer one, over several frames.
func TestVectorDelta(t *testing.T) {
	const n = 37
	r := rand.New(rand.NewPCG(accuracySeed, 3))
	forEachLevel(t, func(t *testing.T, _, vector Kernel) {
		y, d, last, before := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		for range 50 {
			x := drawDomain(r, n)
			copy(before, last)
			vector.ApplyDelta(y, d, last, x)
			for i := range y {
				if !sameFloat(d[i], y[i]-before[i]) || !sameFloat(last[i], y[i]) {
					t.Fatalf("%s: y = %x after %x gives d = %x, last = %x", vector.Name(), y[i], before[i], d[i], last[i])
				}
			}
		}
	})
}

// Check that a slice shorter than x panics before anything is written.
func TestVectorShort(t *testing.T) {
	forEachLevel(t, func(t *testing.T, _, vector Kernel) {
		long, short := make([]float64, 9), make([]float64, 8)
		for i, args := range [][3][]float64{{short, long, long}, {long, short, long}, {long, long, short}} {
			if !panics(func() { vector.ApplyDelta(args[0][:len(args[0]):len(args[0])], args[1], args[2], long) }) {
				t.Errorf("%s: no panic with short slice %d", vector.Name(), i)
			}
		}
		if !panics(func() { vector.Apply(short, long) }) {
			t.Errorf("%s: no panic with short y", vector.Name())
		}
	})
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return
}
