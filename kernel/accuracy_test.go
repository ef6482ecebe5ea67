package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

const accuracySeed = 20261122

// region is a part of the domain with a distribution of x over it.
type region struct {
	name string
	draw func(*rand.Rand) float64
}

func regions() []region {
	logUniform := func(r *rand.Rand, from, to float64) float64 {
		return math.Exp2(from + (to-from)*r.Float64())
	}
	return []region{
		{"1.0001 to 1.0002", func(r *rand.Rand) float64 { return 1.0001 + 1e-4*r.Float64() }},
		{"1.0001 to 1.1", func(r *rand.Rand) float64 { return 1.0001 + logUniform(r, -30, -3.4) }},
		{"1.1 to 2", func(r *rand.Rand) float64 { return 1.1 + 0.9*r.Float64() }},
		{"close to 2", func(r *rand.Rand) float64 { return 2 + math.Copysign(logUniform(r, -51, -4), r.Float64()-0.5) }},
		{"2 to 10", func(r *rand.Rand) float64 { return 2 + 8*r.Float64() }},
		{"10 to 2^60", func(r *rand.Rand) float64 { return logUniform(r, 3.4, 60) }},
		{"2^60 to the largest", func(r *rand.Rand) float64 { return logUniform(r, 60, 1024) }},
	}
}

// accuracySamples is how many x are judged in each region and for each mean;
// KERNEL_SAMPLES replaces it.
func accuracySamples(t *testing.T) int {
	if s := os.Getenv("KERNEL_SAMPLES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 100
	}
	return 500
}

// constantModel has the given mean.
func constantModel(m float64) Params {
	return Params{Model: Model{Fx: []float64{1}, Fy: []float64{m}}}
}

// Check that arcsec and asec stay within 2 ulp of the high-precision reference
// in every region, for means that put results everywhere between powers of two.
// The limits are tighter than that: they stand just above what was measured, so
// that a lost correction shows.
func TestAccuracy(t *testing.T) {
	n := accuracySamples(t)
	for _, c := range []struct {
		name      string
		reference func(float64) *big.Float
		limit     float64
	}{{"arcsec", bigRounded, 1.6}, {"asec", bigArcsec, 0.85}} {
		for _, reg := range regions() {
			worst, at := worstError(t, c.name, c.reference, reg, n)
			t.Logf("%-6s %-20s %d samples: %.3f ulp at x = %x", c.name, reg.name, n*len(accuracyMeans()), worst, at)
			if worst > c.limit {
				t.Errorf("%s, %s: %v ulp at x = %x (seed %d)", c.name, reg.name, worst, at, accuracySeed)
			}
		}
	}
}

// accuracyMeans holds the mean of the default model, and others for which many
// results lie just below a power of two, where a relative error counts double.
func accuracyMeans() []float64 { return []float64{15, 1.2, 1.27, 1.9, -3} }

func worstError(t *testing.T, name string, reference func(float64) *big.Float, reg region, n int) (worst, at float64) {
	r := rand.New(rand.NewPCG(accuracySeed, 1))
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = reg.draw(r)
	}
	want := make([]*big.Float, n)
	for i := range x {
		want[i] = reference(x[i])
	}
	for _, m := range accuracyMeans() {
		k, err := New(name, constantModel(m))
		if err != nil {
			t.Fatal(err)
		}
		k.Apply(y, x)
		for i := range x {
			if e := ulps(y[i], newBig(0).Mul(want[i], newBig(m))); e > worst {
				worst, at = e, x[i]
			}
		}
	}
	return worst, at
}
