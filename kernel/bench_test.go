package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// benchInput returns n values from 1 to 10, where the model's fx lie.
func benchInput(n int) []float64 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, n)
	for i := range x {
		x[i] = 1 + 9*r.Float64()
	}
	return x
}

// BenchmarkApply times y = f(x) for each kernel and level beside two loops of
// the standard library: arccos by math.Acos, and copy.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{5, 64, 1000, 100_000, 4_000_000} {
		x, y := benchInput(n), make([]float64, n)
		run(b, "stdlib", "arcsec", n, 16, func() {
			for i, v := range x {
				y[i] = math.Acos(1/math.Max(v, clipMin)) * 15
			}
		})
		run(b, "stdlib", "identity", n, 16, func() { copy(y, x) })
		for _, c := range benchKernels(b) {
			run(b, c.level.String(), c.Name(), n, 16, func() { c.Apply(y, x) })
		}
	}
}

// BenchmarkApplyDelta times the fused form with its five streams of memory.
func BenchmarkApplyDelta(b *testing.B) {
	for _, n := range []int{5, 64, 1000, 100_000, 4_000_000} {
		x, y := benchInput(n), make([]float64, n)
		d, last := make([]float64, n), make([]float64, n)
		for _, c := range benchKernels(b) {
			run(b, c.level.String(), c.Name(), n, 40, func() { c.ApplyDelta(y, d, last, x) })
		}
	}
}

type benchKernel struct {
	Kernel
	level level
}

func benchKernels(b *testing.B) []benchKernel {
	var list []benchKernel
	for _, name := range []string{"arcsec", "asec", "affine", "identity", "interp"} {
		for _, l := range append(vectorLevels(), levelGo) {
			if l != levelGo && !hasVector(name) {
				continue
			}
			list = append(list, benchKernel{newAt(b, name, Params{}, l), l})
		}
	}
	return list
}

func run(b *testing.B, impl, kernel string, n, bytesPerElement int, do func()) {
	b.Run(fmt.Sprintf("impl=%s/kernel=%s/n=%d", impl, kernel, n), func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(n * bytesPerElement))
		for b.Loop() {
			do()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
	})
}
