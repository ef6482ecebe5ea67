package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// newAt returns a kernel as New would on a machine whose best level is l.
func newAt(tb testing.TB, name string, p Params, l level) Kernel {
	tb.Helper()
	p, err := p.withDefaults()
	if err != nil {
		tb.Fatal(err)
	}
	a, err := newAngle(p.Model)
	if err != nil {
		tb.Fatal(err)
	}
	if name == "arcsec" {
		return vectorArcsec(a, l)
	}
	k, err := New(name, p)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// levels returns plain Go and the levels for which a version of the kernel
// exists and this CPU has the instructions.
func levels(tb testing.TB, name string) []level {
	tb.Helper()
	if name != "arcsec" {
		return []level{levelGo}
	}
	return []level{levelGo, levelAVX512}
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
func TestTmpEqual(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	bad := 0
	for range 100 {
		x := drawDomain(r, 100001)
		want, got := make([]float64, len(x)), make([]float64, len(x))
		newAt(t, "arcsec", Params{}, levelGo).Apply(want, x)
		newAt(t, "arcsec", Params{}, levelAVX512).Apply(got, x)
		for i := range x {
			if !sameFloat(got[i], want[i]) {
				bad++
				if bad < 10 {
					t.Errorf("x=%x got %x want %x", x[i], got[i], want[i])
				}
			}
		}
	}
	t.Log(bad)
}
