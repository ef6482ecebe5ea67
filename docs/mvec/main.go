// Command mvec times kernel arcsec beside glibc's libmvec, math.Acos and copy,
// in turn in one run. It needs gcc and a glibc with vector arccos (2.35 or later):
//
//	cd docs/mvec && go run .
package main

/*
#cgo CFLAGS: -O3 -march=native -ffast-math
#cgo LDFLAGS: -lmvec -lm
#include "arccos.h"
*/
import "C"

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"github.com/ndring/ndring/kernel"
)

// rounds is how often every candidate runs; the fastest round counts, because a
// disturbance only ever adds time.
const rounds = 300

func main() {
	k, err := kernel.New("arcsec", kernel.Params{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("arcsec by %s; ns per element, fastest of %d interleaved rounds\n", kernel.Level(), rounds)
	fmt.Println("        n  arcsec  +delta libmvec math.Acos    copy  libmvec/arcsec  math.Acos/arcsec")
	for _, n := range []int{5, 64, 1000, 10_000, 100_000, 4_000_000} {
		ns := measure(k, n)
		fmt.Printf("%9d %7.3f %7.3f %7.3f %9.3f %7.3f %15.2f %17.2f\n",
			n, ns[0], ns[1], ns[2], ns[3], ns[4], ns[2]/ns[0], ns[3]/ns[0])
	}
}

// measure returns the times of arcsec, arcsec with DELTA, libmvec, math.Acos and
// copy, in nanoseconds an element.
func measure(k kernel.Kernel, n int) [5]float64 {
	x, y := make([]float64, n), make([]float64, n)
	d, last := make([]float64, n), make([]float64, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = 1 + 9*r.Float64()
	}
	cx, cy := first(x), first(y)
	candidates := [5]func(){
		func() { k.Apply(y, x) },
		func() { k.ApplyDelta(y, d, last, x) },
		func() { C.arccos_loop(cy, cx, C.long(n)) },
		func() {
			for i, v := range x {
				y[i] = math.Acos(1/math.Max(v, 1.0001)) * 15
			}
		},
		func() { copy(y, x) },
	}
	calls := max(1, min(1000, 50_000/n))
	var best [5]float64
	for range max(10, min(rounds, 30_000_000/n)) {
		for i, do := range candidates {
			// Once untimed: a CPU that leaves plain for wide instructions runs
			// slower for some ten microseconds.
			repeat(calls, do)
			start := time.Now()
			repeat(calls, do)
			ns := float64(time.Since(start).Nanoseconds()) / float64(calls) / float64(n)
			if best[i] == 0 || ns < best[i] {
				best[i] = ns
			}
		}
	}
	return best
}

func repeat(calls int, do func()) {
	for range calls {
		do()
	}
}
