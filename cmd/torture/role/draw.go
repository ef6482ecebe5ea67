//go:build linux

package role

import "math/rand/v2"

// What a writer may write next.
const (
	drawSmall = iota
	drawBatch
	drawGroup
	drawMiddle
	drawLarge
	drawEnd
)

const (
	largestSmall  = 40  // items of a small frame, at most
	largestMiddle = 500 // items of a middle one
	largestBatch  = 32  // frames
	largestGroup  = 4   // frames
)

// draw decides what a life of a writer writes.
type draw struct {
	*rand.Rand
	largest int  // items
	plain   bool // neither groups nor ends of streams
	wide    bool // one in eight is large
	sizes   []int
}

func newDraw(p *Part) *draw {
	return &draw{Rand: rand.New(rand.NewPCG(p.Seed, uint64(p.Life))), largest: int(p.Capacity / 8 / 8), plain: p.Plain, wide: p.Wide}
}

func (d *draw) next() int {
	switch n := d.IntN(100); {
	case d.wide && n%8 == 0:
		return drawLarge
	case n < 60:
		return drawSmall
	case n < 75:
		return drawBatch
	case n < 90 && !d.plain:
		return drawGroup
	case n < 97:
		return drawMiddle
	case n < 98 && !d.plain:
		return drawEnd
	}
	return drawLarge
}

func (d *draw) items(what int) int {
	switch what {
	case drawMiddle:
		return leastItems + d.IntN(largestMiddle-leastItems)
	case drawLarge:
		return leastItems + d.IntN(d.largest-leastItems)
	}
	return d.smallItems()
}

// smallItems is often 5, which fits a line.
func (d *draw) smallItems() int {
	if d.IntN(4) > 0 {
		return 5
	}
	return leastItems + d.IntN(largestSmall-leastItems)
}

func (d *draw) batchCount() int { return 1 + d.IntN(largestBatch) }

func (d *draw) groupSizes() []int {
	d.sizes = d.sizes[:0]
	for range 2 + d.IntN(largestGroup-1) {
		d.sizes = append(d.sizes, d.smallItems())
	}
	return d.sizes
}
