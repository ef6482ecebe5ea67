//go:build linux

package lab

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Check that a rise is told from noise, and what came in the first third from what
// came later.
func TestEndurance(t *testing.T) {
	const samples = 1200
	for _, c := range []struct {
		name          string
		memory, files func(at float64) float64
		faults        int
	}{
		{"flat", func(float64) float64 { return 20 << 20 }, func(float64) float64 { return 12 }, 0},
		{"takes what it needs first", func(at float64) float64 { return 20<<20 + min(at, 300)*(100<<10) }, func(at float64) float64 { return 12 + min(at, 300) }, 0},
		{"comes and goes", func(at float64) float64 { return 20<<20 + float64(int(at)%60)*(100<<10) }, func(at float64) float64 { return 12 + float64(int(at)%2)*4 }, 0},
		{"leaks memory", func(at float64) float64 { return 20<<20 + at*(4<<10) }, func(float64) float64 { return 12 }, 1},
		{"leaks a descriptor in four minutes", func(float64) float64 { return 20 << 20 }, func(at float64) float64 { return 12 + math.Floor(at/240) }, 1},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		e := &endurance{name: c.name}
		for i := range samples {
			e.memory.add(float64(i), c.memory(float64(i))+r.Float64()*(1<<20))
			e.files.add(float64(i), c.files(float64(i)))
		}
		if found := e.faults(); len(found) != c.faults {
			t.Errorf("%s: found %v, want %d", c.name, found, c.faults)
		}
	}
}
