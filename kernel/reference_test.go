package kernel

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"strconv"
	"testing"
)

// The high-precision reference: arccos in math/big, with its own series.
//
//	arccos q = 2·arcsin √((1−q)/2)
//	arcsin a = 2·arcsin(a / √(2 + 2√(1−a²)))     five times, then
//	arcsin a = a + 1/2·a³/3 + 1·3/(2·4)·a⁵/5 + …

const referenceBits = 200

func newBig(v float64) *big.Float {
	return new(big.Float).SetPrec(referenceBits).SetFloat64(v)
}

func bigArcsin(a *big.Float) *big.Float {
	const halvings = 5
	one, two := newBig(1), newBig(2)
	a = newBig(0).Set(a)
	for range halvings {
		root := newBig(0).Mul(a, a)
		root.Sub(one, root).Sqrt(root)
		root.Add(one, root).Mul(root, two).Sqrt(root)
		a.Quo(a, root)
	}
	square := newBig(0).Mul(a, a)
	power, sum := newBig(0).Set(a), newBig(0).Set(a)
	for n := 1; power.Sign() != 0 && power.MantExp(nil) > sum.MantExp(nil)-referenceBits-4; n++ {
		power.Mul(power, square)
		power.Mul(power, newBig(float64(2*n-1))).Quo(power, newBig(float64(2*n)))
		sum.Add(sum, newBig(0).Quo(power, newBig(float64(2*n+1))))
	}
	return sum.Mul(sum, newBig(1<<halvings))
}

func bigArccos(q *big.Float) *big.Float {
	z := newBig(0).Sub(newBig(1), q)
	z.Quo(z, newBig(2)).Sqrt(z)
	a := bigArcsin(z)
	return a.Mul(a, newBig(2))
}

// bigRounded is arccos of the quotient rounded to float64: what arcsec means.
func bigRounded(x float64) *big.Float { return bigArccos(newBig(1 / clip(x))) }

// bigArcsec is arccos of the exact quotient: what asec means.
func bigArcsec(x float64) *big.Float {
	if x = clip(x); math.IsInf(x, 1) {
		return bigArccos(newBig(0))
	}
	return bigArccos(newBig(0).Quo(newBig(1), newBig(x)))
}

// ulps returns |got - want| in units of the last place of want.
func ulps(got float64, want *big.Float) float64 {
	if math.IsNaN(got) || math.IsInf(got, 0) {
		return math.Inf(1)
	}
	e := newBig(0).Sub(newBig(got), want)
	e.SetMantExp(e, 53-want.MantExp(nil))
	f, _ := e.Float64()
	return math.Abs(f)
}

// Check that the high-precision reference agrees to 50 digits with vectors made
// by another implementation.
func TestReferenceVectors(t *testing.T) {
	text, err := os.ReadFile("../proto/testdata/arcsec-digits.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Rows []struct{ X, Rounded, True string }
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Rows) < 100 {
		t.Fatalf("%d rows", len(f.Rows))
	}
	for _, row := range f.Rows {
		bits, err := strconv.ParseUint(row.X, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		x := math.Float64frombits(bits)
		checkDigits(t, x, "arccos of rounded 1/x", bigRounded(x), row.Rounded)
		checkDigits(t, x, "arcsecant", bigArcsec(x), row.True)
	}
}

func checkDigits(t *testing.T, x float64, what string, got *big.Float, digits string) {
	t.Helper()
	want, _, err := big.ParseFloat(digits, 10, referenceBits, big.ToNearestEven)
	if err != nil {
		t.Fatal(err)
	}
	e := newBig(0).Sub(got, want)
	if e.Sign() != 0 && e.MantExp(nil) > want.MantExp(nil)-160 {
		t.Errorf("%s, x = %x: %s, want %s", what, x, got.Text('g', 50), digits)
	}
}
