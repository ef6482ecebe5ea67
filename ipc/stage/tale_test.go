//go:build linux

package stage_test

import (
	"fmt"
	"math"

	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// line is frame n of a tale: a ring whose frames follow from a seed and their number,
// so that a killed producer goes on with it and a reader of results checks them.
type line struct {
	stream   uint64
	sequence uint32
	ends     bool
	values   int
}

// tale tells the lines of one ring in order. Streams 1 to 4 speak all the time, 5 to 12
// once in a while, long after the output ring gave their last result up; they end and
// begin again, and their lengths change.
type tale struct {
	seed     uint64
	n        uint64
	sequence map[uint64]uint32
	length   map[uint64]int
}

func newTale(seed uint64) *tale {
	return &tale{seed: seed, sequence: map[uint64]uint32{}, length: map[uint64]int{}}
}

// scramble is a step of SplitMix64.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (t *tale) next() line {
	r := scramble(t.seed<<32 + t.n)
	t.n++
	id := 1 + r%4
	if r>>8%100 == 0 {
		id = 5 + r>>20%8
	}
	if r>>28%1000 == 0 {
		t.sequence[id] = 0
		return line{stream: id, ends: true}
	}
	t.sequence[id]++
	if t.length[id] == 0 || r>>40%50 == 0 {
		t.length[id] = 1 + int(r>>48%8)*int(r>>52%8)
		if id > 4 && r>>56%3 == 0 {
			t.length[id] = 700 // more than is gathered
		}
	}
	return line{stream: id, sequence: t.sequence[id], values: t.length[id]}
}

// fill computes the values of a line.
func (l line) fill(x []float64, seed uint64) {
	r := scramble(seed ^ l.stream<<40 ^ uint64(l.sequence))
	for i := range x {
		x[i] = 1 + float64(r>>40+uint64(i))/(1<<20)
	}
}

// critic checks the results of one tale, which it follows as a stage has to.
type critic struct {
	tale    *tale
	kernel  kernel.Kernel
	last    map[uint64][]float64
	now     line
	x, y, d []float64
	delta   bool // of now, is owed
	results uint64
	far     uint64 // DELTA of streams that were silent for long
}

func newCritic(seed uint64, k kernel.Kernel) *critic {
	return &critic{tale: newTale(seed), kernel: k, last: map[uint64][]float64{}}
}

// hear checks the next result.
func (c *critic) hear(f *ring.Frame) error {
	h := f.Header()
	c.results++
	if c.delta {
		c.delta = false
		if h.Role != proto.RoleDelta {
			return c.differs(&h, "DELTA")
		}
		return c.compare(&h, f, c.d)
	}
	c.now = c.tale.next()
	if c.now.ends {
		delete(c.last, c.now.stream)
		if f.Kind() != proto.KindStreamEnd || h.Stream != c.now.stream {
			return c.differs(&h, "an end")
		}
		return nil
	}
	c.expect()
	if f.Kind() != proto.KindData || h.Role != proto.RolePrimary || f.More() != c.delta {
		return c.differs(&h, fmt.Sprintf("PRIMARY, with DELTA: %v", c.delta))
	}
	return c.compare(&h, f, c.y)
}

// expect computes the results of the line at hand.
func (c *critic) expect() {
	n := c.now.values
	c.x, c.y, c.d = make([]float64, n), make([]float64, n), make([]float64, n)
	c.now.fill(c.x, c.tale.seed)
	last := c.last[c.now.stream]
	if c.delta = len(last) == n; c.delta {
		c.kernel.ApplyDelta(c.y, c.d, last, c.x)
		if c.now.stream > 4 {
			c.far++
		}
		return
	}
	c.kernel.Apply(c.y, c.x)
	c.last[c.now.stream] = append(last[:0], c.y...)
}

func (c *critic) compare(h *proto.Header, f *ring.Frame, want []float64) error {
	got := f.Float64s()
	if h.Stream != c.now.stream || h.Sequence != c.now.sequence || len(got) != len(want) {
		return c.differs(h, fmt.Sprintf("%d values", len(want)))
	}
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			return c.differs(h, fmt.Sprintf("%v as value %d instead of %v", want[i], i, got[i]))
		}
	}
	return nil
}

func (c *critic) differs(h *proto.Header, want string) error {
	return fmt.Errorf("result %d, frame %d, is kind %d, role %d, stream %d, sequence %d, shape %v; want %s of line %d, %+v",
		c.results, h.Number, h.Kind, h.Role, h.Stream, h.Sequence, h.Shape[:h.NDim], want, c.tale.n-1, c.now)
}
