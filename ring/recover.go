package ring

import (
	"fmt"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// recoverTail walks from the shared tail over what is committed and returns where
// it ends and the number of the next frame. A commit word over a header that does
// not hold is ErrCorrupt: it must not be written over unasked.
func (s *Segment) recoverTail(state State) (end, number uint64, err error) {
	end, number = state.Tail, state.Number
	if end%proto.LineBytes != 0 || int64(end-s.id.Start) < 0 || int64(state.Limit-end) < 0 && end != s.id.Start || state.Limit-end > s.capacity {
		return 0, 0, fmt.Errorf("recover: tail %d, limit %d, start %d: %w", end, state.Limit, s.id.Start, ErrCorrupt)
	}
	for steps := uint64(0); ; steps++ {
		word := atomic.LoadUint64(s.commitWord(end))
		if word&^proto.KindMask != end || word&proto.KindMask == 0 {
			return end, number, s.checkEnd(end, word)
		}
		var h proto.Header
		if err := s.header(&h, end, proto.Kind(word&proto.KindMask)); err != nil {
			return 0, 0, fmt.Errorf("recover: %w", err)
		}
		if steps > 0 && h.Number != number || steps == 0 && !s.near(h.Number, number) {
			return 0, 0, fmt.Errorf("recover: frame at position %d has number %d, want %d: %w", end, h.Number, number, ErrCorrupt)
		}
		number = h.Number
		if h.Kind != proto.KindPadding {
			number++
		}
		end += h.FrameBytes()
		if end-state.Tail > s.capacity {
			return 0, 0, fmt.Errorf("recover: frames from %d on fill the whole ring: %w", state.Tail, ErrCorrupt)
		}
	}
}

// Owes reports whether a ring has frames that somebody was promised: a reader of old,
// the reader table of its last epoch or nil, that gates and is not at the end, or, if
// none ever came and the ring does not run free, a first reader. A writer that dies
// while it waits for them to end the ring leaves it so.
func (s *Segment) Owes(old *Table) bool {
	state := s.State()
	if state.Flags&(proto.WriterSawReader|proto.WriterFreeRun) == 0 && state.Tail != s.id.Start {
		return true
	}
	if old == nil {
		return false
	}
	for i := range old.Slots() {
		if v := old.Slot(i); v.occupied() && s.possible(v.Cursor, state.Tail) && v.Cursor != state.Tail {
			return true
		}
	}
	return false
}

// possible reports whether a reader can have that cursor when the ring's tail is tail.
func (s *Segment) possible(cursor, tail uint64) bool {
	return tail-cursor <= s.capacity && cursor%proto.LineBytes == 0
}

// near reports whether the first frame behind the tail may have that number when
// the stored one is number. The two differ if the writer died after storing its
// newer number and before its newer tail.
func (s *Segment) near(first, number uint64) bool {
	return number-first <= s.capacity/proto.LineBytes
}

// checkEnd accepts the word behind the last committed frame: 0, as every commit
// leaves it. At the very start of a ring nothing was committed yet.
func (s *Segment) checkEnd(end, word uint64) error {
	if word == 0 {
		return nil
	}
	return fmt.Errorf("recover: word %#x at position %d is neither 0 nor a commit: %w", word, end, ErrCorrupt)
}

// header decodes the frame at position whose commit word was read and found good.
// Errors wrap ErrCorrupt.
func (s *Segment) header(h *proto.Header, position uint64, kind proto.Kind) error {
	if err := proto.DecodeCommitted(h, kind, s.at(position), position, s.id.FrameLimit); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// committed walks from a position that is committed up to, to where that ends by
// now. It is for the writer's process, which knows such a position; frames that are
// overwritten meanwhile end the walk early.
func (s *Segment) committed(position uint64) uint64 {
	for {
		word := atomic.LoadUint64(s.commitWord(position))
		if word&^proto.KindMask != position || word&proto.KindMask == 0 {
			return position
		}
		var h proto.Header
		if s.header(&h, position, proto.Kind(word&proto.KindMask)) != nil || !s.intact(position) {
			return position
		}
		position += h.FrameBytes()
	}
}

// meets reports whether a walk from a boundary at or above floor comes across a
// frame that starts at position. The error wraps ErrNoPosition.
func (s *Segment) meets(position, floor, tail uint64) error {
	p, ok := s.boundaryBefore(position, floor, tail)
	for ok && int64(position-p) > 0 {
		var h proto.Header
		word := atomic.LoadUint64(s.commitWord(p))
		if word&^proto.KindMask != p || s.header(&h, p, proto.Kind(word&proto.KindMask)) != nil || !s.intact(p) {
			break
		}
		p += h.FrameBytes()
	}
	if !ok || p != position {
		return fmt.Errorf("position %d, the ring holds %d to %d: %w", position, s.boundary(floor, tail), tail, ErrNoPosition)
	}
	return nil
}
