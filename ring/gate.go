package ring

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/proto"
)

// noSlot stands for the gate that waits for a first reader.
const noSlot = -1

// gate is the lowest cursor of the readers that gate, and its slot. A cursor that
// goes back, passes the writer or leaves the lines costs its reader the gate.
func (w *Writer) gate() (uint64, int) {
	if !w.sawAny.Load() && !w.cfg.FreeRun {
		return w.firstGate(), noSlot
	}
	lowest, slowest := w.pos, noSlot
	for i := range w.slots[:w.used.Load()] {
		s := &w.slots[i]
		generation := s.active.Load()
		if generation == 0 {
			continue
		}
		if generation != s.seen {
			s.seen, s.last, s.stuckSince = generation, s.start.Load(), time.Time{}
		}
		if c := atomic.LoadUint64(w.table.slotWord(i, proto.SlCursor)); c != s.last && !w.accept(i, c) {
			continue
		}
		if w.pos-s.last > w.pos-lowest {
			lowest, slowest = s.last, i
		}
	}
	return lowest, slowest
}

// firstGate is where the gate stands before a first reader came: the start of the
// ring, or the oldest frame still there.
func (w *Writer) firstGate() uint64 {
	limit := atomic.LoadUint64(w.seg.words.word(proto.WrLimit))
	if int64(limit-w.seg.id.Start) <= int64(w.seg.capacity) {
		return w.seg.id.Start
	}
	return limit - w.seg.capacity
}

// accept takes over a cursor that moved, or gives its reader up.
func (w *Writer) accept(i int, cursor uint64) bool {
	s := &w.slots[i]
	if cursor-s.last <= w.pos-s.last && cursor%proto.LineBytes == 0 {
		s.last = cursor
		return true
	}
	w.dismiss(i, proto.CodeCursor)
	return false
}

// dismiss stops slot i from gating and reports it; the control plane then calls
// Evict.
func (w *Writer) dismiss(i int, why proto.Code) {
	s := &w.slots[i]
	if !s.active.CompareAndSwap(s.seen, 0) {
		return // the slot is another reader's by now
	}
	if w.cfg.OnEvict != nil {
		w.cfg.OnEvict(i, s.seen, why)
	}
}

// raise makes room up to need, and a little more if there is room for it already. A
// reader that attaches meanwhile, further back, makes it look at the gate again.
func (w *Writer) raise(ctx context.Context, need uint64) error {
	for {
		gate, err := w.awaitGate(ctx, need-w.seg.capacity)
		if err != nil {
			return err
		}
		gate = w.lingerAtGate(gate, need)
		limit := min64(need+w.seg.capacity/proto.LimitDivisor, gate+w.seg.capacity, need)
		if w.prove(limit, gate) {
			return nil
		}
	}
}

// Reach bounds the limit that a claim of up to size bytes leaves in a ring of that
// capacity whose writer stands at position and claims groups only. What starts below
// Reach-capacity may be given up by the claim.
func Reach(capacity, position, size uint64) uint64 {
	need := position + size + proto.LineBytes
	if left := capacity - position&(capacity-1); size > left {
		need += left
	}
	return min64(need+capacity/proto.LimitDivisor, position+capacity, position)
}

// ahead proves room for another frame like the last one, if there is plenty, while
// the reader is busy with what was just committed. The next claim then waits for no
// cursor.
func (w *Writer) ahead(end uint64) {
	size := w.like.size
	left := w.seg.toWrap(end)
	wraps := size > left
	if wraps {
		end += left
	}
	need := end + size + proto.LineBytes
	if int64(need-w.lim) <= 0 {
		return
	}
	gate, _ := w.gate()
	if few := w.seg.capacity / (4 * proto.MarkCount); int64(gate+w.seg.capacity-need) < int64(few) {
		return
	}
	if w.prove(min64(need+w.seg.capacity/proto.LimitDivisor, gate+w.seg.capacity, need), gate) {
		w.setRoom()
		prefetchWrite(w.seg.commitWord(end+size), 1) // zeroed by the next commit
		if wraps {
			prefetchWrite(w.seg.commitWord(end), 1) // nobody polls it: padding comes before
		}
	}
}

// prove moves the limit to limit, or to the shared one if that is higher and gate
// allows it, and reports whether it could. SYNC: limit: the limit meant is announced
// before the cursors are read once more, and shared after that; so the shared limit
// is never further than the capacity from the cursor of a reader that gates, and
// what an attaching reader relies on stays.
func (w *Writer) prove(limit, gate uint64) bool {
	word := w.seg.words.word(proto.WrLimit)
	shared := atomic.LoadUint64(word)
	if int64(limit-shared) < 0 && int64(shared-(gate+w.seg.capacity)) <= 0 {
		limit = shared
	}
	if int64(limit-shared) > 0 {
		w.meant.Store(limit)
	}
	if gate, _ := w.gate(); int64(gate+w.seg.capacity-limit) < 0 {
		w.meant.Store(shared)
		return false
	}
	if int64(limit-shared) > 0 {
		w.keepTail(limit)
		atomic.StoreUint64(word, limit)
		fence()
	}
	w.lim = limit
	return true
}

// keepTail stores the tail if the frame at the shared one is given up by limit:
// recovery and observers start there.
func (w *Writer) keepTail(limit uint64) {
	if int64(limit-w.pub) > int64(w.seg.capacity) {
		w.storeTail()
	}
}

// lingerAtGate gives readers a moment when the ring is nearly full of small
// frames, so that the cursors, which they store once a frame, are read once for
// many.
func (w *Writer) lingerAtGate(gate, need uint64) uint64 {
	few := w.seg.capacity / (4 * proto.MarkCount)
	if w.spin.most == 0 || need-w.pos > few || gate+w.seg.capacity-need > few {
		return gate
	}
	pause(pauseBlock)
	gate, _ = w.gate()
	return gate
}

// min64 is the lower of two positions, both at or above base.
func min64(a, b, base uint64) uint64 {
	if a-base < b-base {
		return a
	}
	return b
}

// awaitGate waits until the gate is at wanted or above and returns it.
func (w *Writer) awaitGate(ctx context.Context, wanted uint64) (uint64, error) {
	gate, _ := w.gate()
	if int64(gate-wanted) >= 0 {
		return gate, nil
	}
	if w.policy == proto.PolicyDropNewest {
		w.countDropped(1)
		return 0, ErrDropped
	}
	if gate, ok, err := w.spinGate(ctx, wanted); ok || err != nil {
		return gate, err
	}
	w.startBlocked(wanted)
	defer w.endBlocked()
	for {
		gate, err := w.parkAtGate(ctx, wanted)
		if err != nil {
			return 0, err
		}
		if int64(gate-wanted) >= 0 {
			return gate, nil
		}
		w.evictStuck(wanted)
		// A hole punched into the segment may have taken the tail along, by which a
		// reader sees that the frame it waits for is gone.
		storeRelease(w.seg.words.word(proto.WrTail), w.pos)
	}
}

func (w *Writer) countDropped(frames uint64) {
	atomic.AddUint64(w.seg.words.word(proto.WrDropped), frames)
}

// spinGate polls the cursors with long pauses, which leave the reader its line.
func (w *Writer) spinGate(ctx context.Context, wanted uint64) (uint64, bool, error) {
	for step := range w.spin.budget() {
		pause(pauseBlock)
		if gate, _ := w.gate(); int64(gate-wanted) >= 0 {
			w.spin.hit()
			return gate, true, nil
		}
		if err := breathe(ctx, step); err != nil {
			return 0, false, err
		}
	}
	w.spin.miss()
	return 0, false, nil
}

// parkAtGate sleeps once unless the gate is there already. SYNC: park: the wanted
// position is stored, then the cursors are read again, then the writer sleeps; a
// reader stores its cursor, then reads the wanted position.
func (w *Writer) parkAtGate(ctx context.Context, wanted uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := w.Err(); err != nil {
		return 0, err
	}
	word := w.table.headWord(proto.TbWriterParked)
	atomic.StoreUint64(word, wanted|1)
	w.barrier()
	gate, slowest := w.gate()
	w.blockedBy(slowest)
	if int64(gate-wanted) >= 0 {
		atomic.StoreUint64(word, 0)
		return gate, nil
	}
	err := w.cfg.Sleeper.Sleep(ctx)
	atomic.StoreUint64(word, 0)
	if err != nil {
		return 0, err
	}
	gate, _ = w.gate()
	return gate, nil
}

// barrier makes the stores of readers that skip their fence visible, or fences
// this side alone when every reader fences.
func (w *Writer) barrier() {
	fence()
	if w.cfg.Barrier == nil {
		return
	}
	for i := range w.slots[:w.used.Load()] {
		if s := &w.slots[i]; s.active.Load() != 0 && s.asym.Load() {
			w.cfg.Barrier()
			return
		}
	}
}

func (w *Writer) startBlocked(wanted uint64) {
	w.storeTail()
	w.stalled, w.wanted = w.cfg.Now(), wanted
	atomic.AddUint64(w.seg.words.word(proto.WrBlocks), 1)
	_, slowest := w.gate()
	w.blockedBy(slowest) // who sees that the writer waits also sees for whom
	storeRelease(w.seg.words.word(proto.WrBlockedSince), uint64(w.stalled.UnixNano()))
}

func (w *Writer) blockedBy(slot int) {
	storeRelease(w.seg.words.word(proto.WrBlockedBy), uint64(slot+1))
}

func (w *Writer) endBlocked() {
	waited := w.cfg.Now().Sub(w.stalled)
	atomic.AddUint64(w.seg.words.word(proto.WrBlockedNs), uint64(max(0, waited)))
	storeRelease(w.seg.words.word(proto.WrBlockedSince), 0)
	w.stalled = time.Time{}
}

// evictStuck dismisses readers whose cursor stood still below wanted for the time
// they agreed to.
func (w *Writer) evictStuck(wanted uint64) {
	now := w.cfg.Now()
	for i := range w.slots[:w.used.Load()] {
		s := &w.slots[i]
		patience := time.Duration(s.patience.Load())
		if patience == 0 || s.active.Load() == 0 || int64(s.last-wanted) >= 0 {
			continue
		}
		if s.stuckAt != s.last || s.stuckSince.Before(w.stalled) {
			s.stuckAt, s.stuckSince = s.last, now
			continue
		}
		if now.Sub(s.stuckSince) >= patience {
			w.dismiss(i, proto.CodeTooSlow)
		}
	}
}

// Drain waits until every gating reader is done with all that is committed, and
// for a first reader if none ever came and the ring does not run free. It is for
// the writer's goroutine, after Finish or before more claims.
func (w *Writer) Drain(ctx context.Context) error {
	policy := w.policy
	w.policy = proto.PolicyBlock
	defer func() { w.policy = policy }()
	if err := w.Err(); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return w.guarded(func() error {
		w.storeTail()
		_, err := w.awaitGate(ctx, w.pos)
		return err
	})
}
