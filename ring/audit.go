package ring

import (
	"fmt"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// Finding is one rule of the layout that a ring's memory breaks.
type Finding struct {
	Rule string `json:"rule"` // a word for machines: tail, limit, frame, end, mark, number, final, slot, cursor
	Text string `json:"text"` // what is wrong, with the values
}

// Audit holds the words of a ring, its frames and its reader table, which may be nil,
// against each other and returns what cannot be. It reads only.
//
// Of a ring that nobody writes, a finding is a fact. While a writer is at work two
// words may be read at different times, and a slot may be given up before the table
// says so: only a finding that stays, look after look, is one. A walk that the writer
// overtakes finds nothing.
func (s *Segment) Audit(t *Table) []Finding {
	a := &audit{s: s, limit: atomic.LoadUint64(s.words.word(proto.WrLimit))}
	a.number = atomic.LoadUint64(s.words.word(proto.WrNumber))
	a.tail = atomic.LoadUint64(s.words.word(proto.WrTail)) // after the limit, which never passes it by more
	if t != nil {
		a.slots(t)
	}
	if a.words(); len(a.found) > 0 {
		return a.found // where frames are looked for follows from these
	}
	a.walk()
	a.ends()
	return a.found
}

// audit is one look.
type audit struct {
	s                   *Segment
	limit, tail, number uint64
	found               []Finding
	visited             map[uint64]bool // where frames start, and where they end
	from, end, next     uint64          // of the walk; next is a frame number
	known               bool            // next is
	lapped              bool
}

func (a *audit) finding(rule, format string, args ...any) {
	a.found = append(a.found, Finding{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// words holds the writer's words against each other.
func (a *audit) words() {
	start, capacity := a.s.id.Start, a.s.capacity
	if a.tail%proto.LineBytes != 0 || int64(a.tail-start) < 0 {
		a.finding("tail", "the tail %d is not a line at or behind the start %d", a.tail, start)
	}
	if a.limit-a.tail > capacity && int64(a.limit-a.tail) > 0 {
		a.finding("limit", "the limit %d is more than the capacity of %d ahead of the tail %d, whose frame is given up", a.limit, capacity, a.tail)
	}
	if limit := atomic.LoadUint64(a.s.words.word(proto.WrLimit)); int64(limit-a.tail) < 0 {
		a.finding("limit", "the limit %d is below the tail %d: frames were written where none may be", limit, a.tail)
	}
}

// walk visits every frame from the oldest one on.
func (a *audit) walk() {
	a.visited = map[uint64]bool{}
	a.from = a.s.Oldest()
	for a.end = a.from; a.end-a.from <= a.s.capacity; {
		a.visited[a.end] = true
		word := atomic.LoadUint64(a.s.commitWord(a.end))
		if word&^proto.KindMask != a.end || word&proto.KindMask == 0 {
			a.stop(word)
			return
		}
		var h proto.Header
		err := a.s.header(&h, a.end, proto.Kind(word&proto.KindMask))
		if !a.s.intact(a.end) {
			a.lapped = true
			return
		}
		if err != nil {
			a.finding("frame", "%v", err)
			return
		}
		if a.known && h.Number != a.next {
			a.finding("number", "the frame at position %d has number %d, the one before it asks for %d", a.end, h.Number, a.next)
		}
		if a.next, a.known = h.Number, true; h.Kind != proto.KindPadding {
			a.next++
		}
		a.end += h.FrameBytes()
	}
	a.finding("frame", "frames from position %d on fill more than the capacity of %d", a.from, a.s.capacity)
}

// stop judges the word behind the last frame.
func (a *audit) stop(word uint64) {
	if !a.s.intact(a.end) {
		a.lapped = true
	} else if word != 0 {
		a.finding("end", "the word %#x at position %d is neither 0 nor a commit; a new writer refuses the ring without --recreate", word, a.end)
	}
}

// ends holds what the walk found against the words that tell of it.
func (a *audit) ends() {
	if a.lapped || len(a.found) > 0 && a.end == a.from {
		return
	}
	if int64(a.tail-a.from) >= 0 && !a.visited[a.tail] {
		a.finding("tail", "the tail %d starts no frame; frames end at %d", a.tail, a.end)
	}
	if a.known && int64(a.number-a.next) > 0 {
		a.finding("number", "the writer's word counts %d frames, the last one in the ring makes it %d", a.number, a.next)
	}
	if final := atomic.LoadUint64(a.s.words.word(proto.WrFinal)); final != 0 && final != a.end|1 {
		a.finding("final", "the ring is said to end at %d, frames end at %d", final&^proto.KindMask, a.end)
	}
	for i := range uint64(proto.MarkCount) {
		p := a.s.mark(i)
		if a.s.markIndex(p) != i || int64(p-a.from) < 0 || int64(a.end-p) < 0 {
			continue // never set, or of a lap that is over
		}
		if !a.visited[p] {
			a.finding("mark", "mark %d says that a frame starts at %d, where none does; who attaches there fails", i, p)
		}
	}
}

// slots holds every reader's slot against the words.
func (a *audit) slots(t *Table) {
	for i := range t.Slots() {
		cursor := atomic.LoadUint64(t.slotWord(i, proto.SlCursor)) // before the state: who is given up is so first
		v := t.Slot(i)
		switch {
		case v.State > proto.SlotEvicted:
			a.finding("slot", "slot %d is in state %d, which does not exist", i, v.State)
		case v.State != proto.SlotFree && v.Generation == 0:
			a.finding("slot", "slot %d is taken but of no generation", i)
		case v.State != proto.SlotActive && v.State != proto.SlotLost:
		case cursor%proto.LineBytes != 0:
			a.finding("cursor", "reader %q, pid %d, stands at %d, off the lines; its writer will evict it", v.Name, v.PID, cursor)
		case int64(a.limit-cursor) > int64(a.s.capacity):
			a.finding("cursor", "reader %q, pid %d, stands at %d, which the limit %d gave up; it will be told that it is evicted", v.Name, v.PID, cursor, a.limit)
		}
	}
}
