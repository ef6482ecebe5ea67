package ring

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/proto"
)

// slot is the writer's own record of a reader. What the shared slot says is
// checked against it.
type slot struct {
	active atomic.Uint32 // generation while the reader gates, else 0
	start  atomic.Uint64 // where this generation began
	asym   atomic.Bool   // the reader skips its fence
	bell   atomic.Pointer[Bell]

	patience atomic.Int64 // ns the reader may hold a full ring; 0 = for ever

	// For whoever attaches and detaches, one at a time.
	info proto.SlotInfo

	// For the writer's goroutine.
	seen uint32 // generation that last belongs to
	last uint64 // cursor last accepted

	stuckAt    uint64 // cursor below which the writer waits since stuckSince
	stuckSince time.Time
}

// Attach describes a reader that wants a slot.
type Attach struct {
	Info       proto.SlotInfo // Name, PID, Wake, KeepMs, EvictMs, AttachedNs
	Start      proto.Start
	Position   uint64 // for proto.StartPosition
	Asymmetric bool   // the reader skips its fence after releases
	Barrier    bool   // the reader runs membarrier before it parks, or never parks
	Bell       Bell   // wakes the reader; nil if it never parks
}

// Attached is what a reader got.
type Attached struct {
	Slot       int
	Generation uint32
	Start      uint64
	Oldest     uint64 // lowest position in the ring
	Tail       uint64
	Newer      bool // the oldest frame of the ring is not its first any more
}

// Attach gives a lossless reader a free slot and gates the writer for it. Errors
// wrap ErrTableFull or ErrNoPosition.
func (w *Writer) Attach(a Attach) (Attached, error) {
	i := w.freeSlot()
	if i < 0 {
		return Attached{}, fmt.Errorf("all %d slots are taken: %w", len(w.slots), ErrTableFull)
	}
	s := &w.slots[i]
	generation := s.info.Generation + 1
	if generation == 0 {
		generation = 1
	}
	got := Attached{Slot: i, Generation: generation}
	for again := false; ; again = true {
		start, err := w.startOf(a, &got)
		if err != nil {
			s.active.Store(0)
			w.ringSelf()
			return Attached{}, err
		}
		if again && int64(start-got.Start) < 0 {
			start = got.Start // a limit was withdrawn; the writer may have seen this cursor
		}
		got.Start = start
		w.gateAt(i, generation, start)
		limit := w.meant.Load() // SYNC: limit
		if int64(limit-start) <= int64(w.seg.capacity) {
			break
		}
	}
	w.occupy(i, a, got)
	return got, nil
}

// gateAt stores the cursor on the reader's behalf, then makes it count. The writer
// may have gone to sleep for an earlier choice of start.
func (w *Writer) gateAt(i int, generation uint32, start uint64) {
	s := &w.slots[i]
	atomic.StoreUint64(w.table.slotWord(i, proto.SlCursor), start)
	s.start.Store(start)                         // after the cursor: the writer reads them the other way round
	w.used.Store(max(w.used.Load(), int32(i)+1)) // before active: the gate looks no further
	atomic.StoreUint64(w.table.slotWord(i, proto.SlNext), start)
	atomic.StoreUint64(w.table.slotWord(i, proto.SlParked), 0)
	s.active.Store(generation)
	fence() // SYNC: limit
	w.ringIfWanted(start)
}

func (w *Writer) occupy(i int, a Attach, got Attached) {
	s := &w.slots[i]
	s.asym.Store(a.Asymmetric)
	if !a.Barrier {
		w.fenced.Store(true) // from now on the writer pays for the fence itself
		if w.cfg.Barrier != nil {
			w.cfg.Barrier() // a commit under way may not have seen that yet
		}
	}
	s.patience.Store(int64(a.Info.EvictMs) * int64(time.Millisecond))
	s.bell.Store(&a.Bell)
	s.info = a.Info
	s.info.State, s.info.Generation, s.info.Start = proto.SlotActive, got.Generation, got.Start
	w.table.describe(i, &s.info)
	w.sawReader()
}

func (w *Writer) sawReader() {
	if !w.sawAny.Swap(true) {
		w.storeFlags()
		w.ringSelf()
	}
}

func (w *Writer) freeSlot() int {
	for i := range w.slots {
		if w.slots[i].info.State == proto.SlotFree {
			return i
		}
	}
	return -1
}

// startOf chooses where a new reader begins and fills in what history there is.
func (w *Writer) startOf(a Attach, got *Attached) (uint64, error) {
	tail := w.seg.committed(w.Position())
	floor := w.meant.Load() - w.seg.capacity
	got.Tail, got.Oldest = tail, w.seg.boundary(floor, tail)
	got.Newer = got.Oldest != w.seg.id.Start
	switch a.Start {
	case proto.StartLatest:
		return tail, nil
	case proto.StartPosition:
		return a.Position, w.seg.meets(a.Position, floor, tail)
	}
	return got.Oldest, nil
}

// Reattach gives slot back to a reader that had it, in this epoch or the one
// before: a reconnecting reader or a named one that returns within its grace. The
// reader's own position wins over the cursor in the table. Errors wrap ErrSlot or
// ErrNoPosition.
func (w *Writer) Reattach(i int, generation uint32, position uint64, a Attach) (Attached, error) {
	if i < 0 || i >= len(w.slots) {
		return Attached{}, fmt.Errorf("slot %d of %d: %w", i, len(w.slots), ErrSlot)
	}
	s := &w.slots[i]
	if s.info.State != proto.SlotLost || s.info.Generation != generation || s.active.Load() == 0 {
		return Attached{}, fmt.Errorf("slot %d is of generation %d and in state %d, asked for generation %d: %w", i, s.info.Generation, s.info.State, generation, ErrSlot)
	}
	held := atomic.LoadUint64(w.table.slotWord(i, proto.SlCursor)) &^ proto.KindMask
	tail := w.committedBeyond(held)
	if int64(position-held) < 0 || int64(tail-position) < 0 || position%proto.LineBytes != 0 {
		return Attached{}, fmt.Errorf("position %d is not from the slot's cursor %d to the tail %d: %w", position, held, tail, ErrNoPosition)
	}
	got := Attached{Slot: i, Generation: generation, Start: position, Oldest: held, Tail: tail}
	atomic.StoreUint64(w.table.slotWord(i, proto.SlCursor), position)
	w.occupy(i, a, got)
	w.ringSelf()
	return got, nil
}

// Lose keeps a dead reader's slot and gate for the grace it asked for; the caller
// times the grace and ends it with Detach.
func (w *Writer) Lose(i int) {
	s := &w.slots[i]
	if s.info.State != proto.SlotActive {
		return
	}
	s.bell.Store(nil)
	s.info.State = proto.SlotLost
	w.table.describe(i, &s.info)
}

// Detach frees a slot whose reader is gone, so that it gates no longer.
func (w *Writer) Detach(i int) {
	s := &w.slots[i]
	s.active.Store(0)
	s.bell.Store(nil)
	s.info = proto.SlotInfo{Generation: s.info.Generation}
	w.table.describe(i, &s.info)
	w.ringSelf()
}

// Released moves the cursor of a stream reader, which does not write the table
// itself. A position that goes back, beyond what is committed, or off the lines is
// ErrNoPosition; the caller then evicts.
func (w *Writer) Released(i int, position uint64) error {
	cursor := w.table.slotWord(i, proto.SlCursor)
	held := atomic.LoadUint64(cursor)
	if position == held {
		return nil
	}
	tail := w.committedBeyond(held)
	if int64(position-held) < 0 || int64(tail-position) < 0 || position%proto.LineBytes != 0 {
		return fmt.Errorf("release of %d is not from the cursor %d to the tail %d: %w", position, held, tail, ErrNoPosition)
	}
	atomic.StoreUint64(cursor, position)
	fence() // SYNC: park
	w.ringIfWanted(position)
	return nil
}

// committedBeyond is the end of what is committed, for a reader whose cursor is at
// held. The walk starts where that cursor keeps the writer from overwriting it.
func (w *Writer) committedBeyond(held uint64) uint64 {
	from := w.Position()
	if int64(held-from) > 0 {
		from = held &^ proto.KindMask
	}
	return w.seg.committed(from)
}

// Evict stops slot i from gating. The slot stays taken until Detach, so that a
// reader that wakes up late cannot store into somebody else's cursor. It is for
// the goroutine that attaches.
func (w *Writer) Evict(i int) {
	s := &w.slots[i]
	s.active.Store(0)
	if s.info.State != proto.SlotActive && s.info.State != proto.SlotLost {
		return
	}
	s.info.State = proto.SlotEvicted
	w.table.describe(i, &s.info)
	atomic.AddUint64(w.seg.words.word(proto.WrEvictions), 1)
	w.ringSelf()
}

// adopt carries the occupied slots of the epoch before over: each gates until its
// reader returns or its grace ends.
func (w *Writer) adopt(old *Table) {
	if old == nil {
		return
	}
	for i := range min(old.Slots(), len(w.slots)) {
		v := old.Slot(i)
		w.slots[i].info.Generation = v.Generation
		cursor := v.Cursor
		if !v.occupied() {
			continue
		}
		if !w.seg.possible(cursor, w.pos) {
			continue // a cursor no reader can have
		}
		info := v.SlotInfo
		info.State = proto.SlotLost
		w.slots[i].info = info
		w.gateAt(i, max(1, info.Generation), cursor)
		w.table.describe(i, &info)
		w.sawAny.Store(true)
	}
}
