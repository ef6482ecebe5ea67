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
	seg  *Segment
	pos  uint64 // private tail: the next claim starts here
	lim  uint64 // private limit: proven against every cursor
	room uint64 // an unpadded frame may end here: below the limit, not across the wrap
	num  uint64 // number of the next frame
	mark uint64 // the first frame at or beyond it becomes a mark

	parked   *uint64     // SYNC: park; set by readers
	fenced   atomic.Bool // fence after each commit
	open     opening
	finished bool
	like     likeness
	claim    Claim
	batch    WriteBatch
	group    Group

	slots   []slot
	used    atomic.Int32  // slots from here on were never occupied
	meant   atomic.Uint64 // the shared limit, or the higher one about to be proven
	sawAny  atomic.Bool   // a first lossless reader came
	lost    atomic.Pointer[error]
	pub     atomic.Uint64
	follow  atomic.Pointer[Follower]
	table   *Table
	cfg     WriterConfig
	spin    spinner
	stalled time.Time // when the wait under way began; zero = none
	wanted  uint64    // the cursor the wait under way needs
	policy  proto.Policy
}

// NewWriter takes over a segment: a new one, or one whose writer died. In the
// second case it walks from the shared tail over what was committed. table is
// empty and formatted for the epoch State().Epoch+1. Only one Writer of a segment
// may exist in all processes; a lock outside this package sees to that.
//
// Errors wrap ErrCorrupt when committed frames are malformed, ErrFinished when
// the ring has ended, ErrSlot when the table is of another epoch.
func NewWriter(seg *Segment, table *Table, cfg WriterConfig) (*Writer, error) {
	state := seg.State()
	if state.Ended {
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
		seg: seg, pos: end, lim: end, num: number, mark: end,
		parked: table.headWord(proto.TbReadersParked),
		slots:  make([]slot, table.Slots()),
		table:  table, cfg: cfg, spin: newSpinner(cfg.Spin), policy: seg.id.Policy,
	}
	w.claim.w, w.group.w, w.batch.w = w, w, w
	w.like.size = noSize
	w.fenced.Store(!cfg.Asymmetric)
	w.pub.Store(end)
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
	store(proto.WrPID, uint64(w.cfg.PID))
	store(proto.WrStartedNs, uint64(w.cfg.Now().UnixNano()))
	store(proto.WrBlockedSince, 0)
	w.storeFlags()
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

// setRoom follows a change of limit, or of the position past a wrap.
func (w *Writer) setRoom() {
	w.room = min64(w.lim-proto.LineBytes, w.pos+w.seg.toWrap(w.pos), w.pos-proto.LineBytes)
}

// Segment is the ring this writer writes.
func (w *Writer) Segment() *Segment { return w.seg }

// Epoch counts the lives of this ring's writers, from 1.
func (w *Writer) Epoch() uint64 { return w.table.Epoch() }

// Position is the end of what is committed. It is safe to call from any
// goroutine, and then may trail the writer by up to 1/64 of the capacity.
func (w *Writer) Position() uint64 { return w.pub.Load() }

// storeTail publishes tail and frame number for attach, inspection and recovery.
// The number first: whoever finds no frame beyond the tail relies on it.
func (w *Writer) storeTail() {
	w.pub.Store(w.pos)
	storeRelease(w.seg.words.word(proto.WrNumber), w.num)
	storeRelease(w.seg.words.word(proto.WrTailNs), uint64(w.cfg.Now().UnixNano()))
	storeRelease(w.seg.words.word(proto.WrTail), w.pos)
}

// passMark runs when a commit of [first, end) reaches beyond w.mark, the start of
// the first 1/64 of the capacity that has no mark yet.
func (w *Writer) passMark(first uint64) {
	if int64(first-w.mark) >= 0 {
		w.seg.setMark(first)
		size := w.seg.markBytes()
		w.mark = first&^(size-1) + size
	}
	w.storeTail()
}

// Finish ends the ring at the last committed frame: the final position is stored
// and every reader woken. An open claim is aborted. Finish is idempotent. A
// ring whose memory is lost does not end; Err tells.
func (w *Writer) Finish() {
	if w.finished {
		return
	}
	w.open, w.finished = openNone, true
	w.lim = w.pos
	w.setRoom() // the next claim takes the slow path and fails there
	if w.Err() != nil {
		return
	}
	done := false
	defer w.leave(&done, debug.SetPanicOnFault(true))
	w.storeTail()
	atomic.StoreUint64(w.seg.words.word(proto.WrFinal), w.pos|1)
	atomic.StoreUint64(w.parked, 1)
	w.wakeReaders()
	done = true
}
