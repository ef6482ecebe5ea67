package ring

import (
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// A boundary is a position known to start a frame: the start of the ring, every
// multiple of the capacity, every mark, and the tail. Walks begin at boundaries.

// boundary is the lowest boundary that is at least floor and at most tail; it is
// tail when there is none lower.
func (s *Segment) boundary(floor, tail uint64) uint64 {
	if int64(floor-s.id.Start) < 0 {
		floor = s.id.Start
	}
	best := tail
	consider := func(p uint64) {
		if int64(p-floor) >= 0 && int64(best-p) > 0 {
			best = p
		}
	}
	if floor == s.id.Start {
		consider(floor)
	}
	consider((floor + s.mask) &^ s.mask)
	for i := range uint64(proto.MarkCount) {
		if p := s.mark(i); s.markIndex(p) == i && p%proto.LineBytes == 0 {
			consider(p)
		}
	}
	return best
}

// boundaryBefore is the highest boundary that is at least floor and at most
// position. There is none if tail and floor are further apart than in any ring.
func (s *Segment) boundaryBefore(position, floor, tail uint64) (uint64, bool) {
	best, found := uint64(0), false
	if int64(tail-floor) > int64(s.capacity) {
		return 0, false
	}
	for p := s.boundary(floor, tail); int64(position-p) >= 0; {
		best, found = p, true
		next := s.boundary(p+proto.LineBytes, tail)
		if int64(next-p) <= 0 {
			break
		}
		p = next
	}
	return best, found
}

// Oldest is the lowest position from which a walk can start now. It may be
// overtaken by the writer at once; the intact check tells.
func (s *Segment) Oldest() uint64 {
	tail := s.sharedTail()
	limit := atomic.LoadUint64(s.words.word(proto.WrLimit))
	return s.boundary(limit-s.capacity, tail)
}

// sharedTail is the tail the writer stored last, rounded down to a line: nobody
// looks for a frame elsewhere, whatever the word says.
func (s *Segment) sharedTail() uint64 {
	return atomic.LoadUint64(s.words.word(proto.WrTail)) &^ proto.KindMask
}

func (s *Segment) markBytes() uint64 { return s.capacity / proto.MarkCount }

func (s *Segment) markIndex(position uint64) uint64 {
	return position & s.mask / s.markBytes()
}

func (s *Segment) mark(i uint64) uint64 {
	return atomic.LoadUint64(s.words.word(proto.WrMarks + 8*i))
}

func (s *Segment) setMark(position uint64) {
	storeRelease(s.words.word(proto.WrMarks+8*s.markIndex(position)), position)
}

// markStart makes the start of a new ring its first mark.
func (s *Segment) markStart() { s.setMark(s.id.Start) }
