package ring

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/proto"
)

// WriterConfig is what a Writer needs of its surroundings.
type WriterConfig struct {
	Sleeper    Sleeper          // waits at the gate
	Spin       time.Duration    // spinning before parking; 0 = none
	FreeRun    bool             // do not wait for a first reader
	Asymmetric bool             // this process is registered with membarrier: skip the fence after commits
	Barrier    func()           // runs membarrier before parking; nil = readers that skip fences are polled
	Recovered  *Table           // the reader table of the epoch before, when recovering
	OnEvict    OnEvict          // nil = nobody is told
	Now        func() time.Time // nil = time.Now
	PID        uint32           // a label
}

// OnEvict is told that one generation of a slot stopped gating. It is called from the
// writer's goroutine and must not block. By the time it acts, the slot may be another
// generation's.
type OnEvict func(slot int, generation uint32, why proto.Code)

// Writer is the one writer of a ring. Claim, commit, abort, Finish and Drain are
// for one goroutine at a time; Attach and the other slot methods may be called
// from others, one at a time.
type Writer struct {
	pos    uint64 // private tail: the next claim starts here
	open   opening
	like   likeness
	claim  Claim
	data   circle
	num    uint64      // number of the next frame
	quiet  uint64      // a commit up to here passes no mark and needs no look ahead
	parked *uint64     // SYNC: park; set by readers
	fenced atomic.Bool // fence after each commit

	seg   *Segment
	lim   uint64 // private limit: proven against every cursor
	room  uint64 // an unpadded frame may end here: below the limit, not across the wrap
	mark  uint64 // the first frame at or beyond it becomes a mark
	pub   uint64 // tail for the goroutines of this process
	batch WriteBatch
	group Group
	ended error // why nothing can be claimed any more

	slots   []slot
	used    atomic.Int32  // slots from here on were never occupied
	meant   atomic.Uint64 // the shared limit, or the higher one about to be proven
	sawAny  atomic.Bool   // a first lossless reader came
	lost    atomic.Pointer[error]
	stamped atomic.Uint64 // the tail that WrTailNs belongs to
	follow  atomic.Pointer[Follower]
	table   *Table
	cfg     WriterConfig
	spin    spinner
	stalled time.Time // when the wait under way began; zero = none
	wanted  uint64    // the cursor the wait under way needs
	policy  proto.Policy
}

// NewWriter takes over a segment: a new one, or one whose writer died. In the
// second case it walks from the shared tail over what was committed. A ring that has
// ended and still owes frames (Segment.Owes) goes on. table is
// empty and formatted for the epoch State().Epoch+1. Only one Writer of a segment
// may exist in all processes; a lock outside this package sees to that.
//
// Errors wrap ErrCorrupt when committed frames are malformed, ErrFinished when
// the ring has ended, ErrSlot when the table is of another epoch.
func NewWriter(seg *Segment, table *Table, cfg WriterConfig) (*Writer, error) {
	state := seg.State()
	if state.Ended && !seg.Owes(cfg.Recovered) {
		return nil, fmt.Errorf("ring ended at position %d: %w", state.Final, ErrFinished)
	}
	if table.Epoch() != state.Epoch+1 || table.Slots() != int(seg.id.Slots) {
		return nil, fmt.Errorf("reader table of epoch %d and %d slots, want %d and %d: %w", table.Epoch(), table.Slots(), state.Epoch+1, seg.id.Slots, ErrSlot)
	}
	end, number, err := seg.recoverTail(state)
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Writer{
		seg: seg, data: seg.data.circle(), pos: end, lim: end, num: number, mark: end, pub: end,
		parked: table.headWord(proto.TbReadersParked),
		slots:  make([]slot, table.Slots()),
		table:  table, cfg: cfg, spin: newSpinner(cfg.Spin), policy: seg.id.Policy,
	}
	w.claim.w, w.group.w, w.batch.w = w, w, w
	w.like.size = noSize
	w.fenced.Store(!cfg.Asymmetric)
	w.meant.Store(state.Limit)
	w.setRoom()
	w.sawAny.Store(state.Flags&proto.WriterSawReader != 0)
	w.adopt(cfg.Recovered)
	w.announceEpoch(state)
	return w, nil
}

// announceEpoch stores who writes now; the epoch last, so that who sees it sees
// the rest.
func (w *Writer) announceEpoch(old State) {
	store := func(off, v uint64) { atomic.StoreUint64(w.seg.words.word(off), v) }
	atomic.StoreUint64(w.seg.commitWord(w.pos), 0)
	w.storeTail()
	w.stamp(w.pos)
	store(proto.WrPID, uint64(w.cfg.PID))
	store(proto.WrStartedNs, uint64(w.cfg.Now().UnixNano()))
	store(proto.WrBlockedSince, 0)
	w.storeFlags()
	store(proto.WrFinal, 0)
	store(proto.WrEpoch, old.Epoch+1)
}

func (w *Writer) storeFlags() {
	var flags uint64
	if w.cfg.Asymmetric {
		flags |= proto.WriterAsymmetric
	}
	if w.cfg.FreeRun {
		flags |= proto.WriterFreeRun
	}
	if w.sawAny.Load() {
		flags |= proto.WriterSawReader
	}
	atomic.StoreUint64(w.seg.words.word(proto.WrFlags), flags)
}

// setRoom follows a change of limit, of the likeness, or of the position past a wrap.
func (w *Writer) setRoom() {
	w.room = min64(w.lim-proto.LineBytes, w.pos+w.data.toWrap(w.pos), w.pos-proto.LineBytes)
	w.like.last = w.room - w.like.size
	w.setQuiet()
}

// setQuiet also follows a change of mark. Only frames that are large look ahead.
func (w *Writer) setQuiet() {
	w.quiet = w.mark
	if w.large() {
		w.quiet = min64(w.mark, w.like.last, w.pos-w.seg.capacity)
	}
}

// Segment is the ring this writer writes.
func (w *Writer) Segment() *Segment { return w.seg }

// Epoch counts the lives of this ring's writers, from 1.
func (w *Writer) Epoch() uint64 { return w.table.Epoch() }

// Position is the end of what is committed. It is safe to call from any
// goroutine, and then may trail the writer by up to 1/64 of the capacity.
func (w *Writer) Position() uint64 { return atomic.LoadUint64(&w.pub) }

// storeTail publishes tail and frame number for attach, inspection and recovery.
// The number first: whoever finds no frame beyond the tail relies on it.
func (w *Writer) storeTail() {
	storePlain(w.seg.words.word(proto.WrNumber), w.num)
	storeRelease(w.seg.words.word(proto.WrTail), w.pos)
	storeRelease(&w.pub, w.pos)
}

// Stamp stores the time beside the shared tail if the tail has moved since the last
// call. The clock costs as much as a hand-over, so no commit reads it: the control
// plane calls Stamp now and then, from any goroutine.
func (w *Writer) Stamp() {
	if tail := w.Position(); tail != w.stamped.Load() {
		w.stamp(tail)
	}
}

func (w *Writer) stamp(tail uint64) {
	w.stamped.Store(tail)
	atomic.StoreUint64(w.seg.words.word(proto.WrTailNs), uint64(w.cfg.Now().UnixNano()))
}

// passMark runs when a commit of [first, end) reaches beyond w.mark, the start of
// the first 1/64 of the capacity that has no mark yet.
func (w *Writer) passMark(first uint64) {
	if int64(first-w.mark) >= 0 {
		w.seg.setMark(first)
		size := w.seg.markBytes()
		w.mark = first&^(size-1) + size
		w.setQuiet()
	}
	w.storeTail()
}

// Finish ends the ring at the last committed frame: the final position is stored
// and every reader woken. An open claim is aborted. Finish is idempotent. A
// ring whose memory is lost does not end; Err tells.
func (w *Writer) Finish() {
	if w.ended != nil {
		return
	}
	w.open, w.ended = openNone, ErrFinished
	w.lim = w.pos
	w.setRoom() // the next claim takes the slow path and fails there
	if w.Err() != nil {
		return
	}
	done := false
	defer w.leave(&done, debug.SetPanicOnFault(true))
	w.storeTail()
	w.stamp(w.pos)
	atomic.StoreUint64(w.seg.words.word(proto.WrFinal), w.pos|1)
	atomic.StoreUint64(w.parked, 1)
	w.wakeReaders()
	done = true
}

// Retire is for whoever takes the memory away after Finish: from now on a claim
// touches none of it and its error wraps why.
func (w *Writer) Retire(why error) { w.ended = why }
