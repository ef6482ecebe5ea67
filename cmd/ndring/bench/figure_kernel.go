package bench

import (
	"context"
	"math"

	"github.com/ndring/ndring/kernel"
)

const roleKernel = "kernel"

// Lengths of the arrays: the seed's chunk, and one that fills the second-level
// cache.
const (
	fewElements  = 5
	manyElements = 100_000
)

// acosLoop is the name under which the plain loop over math.Acos is measured.
const acosLoop = "acos_loop"

// Kernels is the time of every kernel on one CPU, input and output in its caches:
// NAME_1e5 in ns per element of 100,000, NAME_5 in ns per call for five. Beside
// arcsec stands the loop that one would write with math.Acos.
type Kernels struct {
	Elements int // to compute in all, of each kernel and length
}

// Name is kernels.
func (f Kernels) Name() string { return "kernels" }

// Measure implements Figure.
func (f Kernels) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	var samples []Sample
	err := host.Carry(ctx, Job{Seats: host.alone(roleKernel), Params: f}, &samples)
	return samples, err
}

// kernelSide measures one kernel after the other.
func kernelSide(s *Side) (any, error) {
	var f Kernels
	if err := s.Params(&f); err != nil {
		return nil, err
	}
	clock := newTickClock()
	apply := map[string]func(y, x []float64){acosLoop: acos}
	names := []string{acosLoop}
	for _, e := range kernel.Registry() {
		k, err := kernel.New(e.Name, kernel.Params{})
		if err != nil {
			return nil, err
		}
		names = append(names, e.Name)
		apply[e.Name] = k.Apply
	}
	var samples []Sample
	for _, name := range names {
		if name == "delta" {
			continue // the same as identity
		}
		for _, n := range []int{manyElements, fewElements} {
			samples = append(samples, kernelSample(clock, name, apply[name], n, f.Elements))
		}
	}
	return samples, nil
}

// kernelSample times calls for n elements each until so many are computed, and
// takes the fastest of ten runs: nothing but the machine can slow a pure
// function down.
func kernelSample(clock tickClock, name string, apply func(y, x []float64), n, elements int) Sample {
	const runs = 10
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = 1 + 9*float64(i)/float64(n) // where the model's points lie
	}
	calls := elements/n/runs + 1
	apply(y, x)
	best := math.Inf(1)
	for range runs {
		began := clock.now()
		for range calls {
			apply(y, x)
		}
		best = min(best, clock.ns(clock.now()-began)/float64(calls))
	}
	if n == fewElements {
		return Sample{Name: name + "_5", Unit: "ns/call", Value: best}
	}
	return Sample{Name: name + "_1e5", Unit: "ns/elem", Value: best / float64(n)}
}

// acos is the arcsecant as one writes it with the standard library.
func acos(y, x []float64) {
	for i, v := range x {
		y[i] = math.Acos(1/math.Max(v, 1.0001)) * 15
	}
}
