//go:build linux

package role

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Check that a payload gives back what was put in, of every length, and that any
// changed bit, a cut and another frame's end are noticed.
func TestPayload(t *testing.T) {
	table := castagnoli()
	r := rand.New(rand.NewPCG(1, 2))
	for items := leastItems; items < 300; items++ {
		b, other := make([]byte, 8*items), make([]byte, 8*items)
		fill(b, uint64(items)*1e9, 7, table)
		fill(other, uint64(items)*1e9+1, 7, table)
		if number, author, whole := parse(b, table); number != uint64(items)*1e9 || author != 7 || !whole {
			t.Fatalf("%d items: number %d, author %d, whole %v", items, number, author, whole)
		}
		torn := slices.Clone(b)
		torn[r.IntN(len(b))] ^= 1 << r.IntN(8)
		mixed := append(slices.Clone(b[:len(b)/2]), other[len(b)/2:]...)
		for what, bad := range map[string][]byte{"flipped": torn, "mixed": mixed, "cut": b[:len(b)-8], "odd": b[:len(b)-1], "empty": nil} {
			if _, _, whole := parse(bad, table); whole {
				t.Errorf("%d items: %s passes", items, what)
			}
		}
	}
}

// Check that a difference that is off at one item is noticed.
func TestDiffers(t *testing.T) {
	table := castagnoli()
	a, b, d := make([]byte, 80), make([]byte, 80), make([]byte, 80)
	fill(a, 5, 1, table)
	fill(b, 5, 1, table)
	if i := differs(d, a, b); i != -1 {
		t.Errorf("item %d of a difference of equals", i)
	}
	d[8*7+6] = 1
	if i := differs(d, a, b); i != 7 {
		t.Errorf("item %d, want 7", i)
	}
}
