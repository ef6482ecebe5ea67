package ring

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/proto"
)

// ReaderConfig is what a Reader in park mode got from the control plane.
type ReaderConfig struct {
	Table      *Table // writable
	Slot       int
	Generation uint32
	Position   uint64
	Sleeper    Sleeper
	WriterBell Bell          // wakes the writer
	Spin       time.Duration // spinning before parking; 0 = none
	Asymmetric bool          // this process is registered with membarrier and the writer runs it before it parks
	Barrier    func()        // runs membarrier before parking; nil if the writer fences
	Overslept  func() bool   // whether only its safety interval ended the last Sleep; nil = whenever nobody rang
}

// Reader is a lossless reader: it sees every frame from its first position on, once
// and in order, and the writer waits for it. It is for one goroutine at a time.
type Reader struct {
	pos   uint64 // cursor: all before it is released
	next  uint64 // end of the leased frame, or pos
	held  bool
	eager bool   // fence after each release
	desc  uint64 // description of the last inline frame that passed every check
	bytes uint64 // its payload length, not 0
	size  uint64 // its frame size, or noSize
	data  circle
	frame Frame

	cursor *uint64
	wanted *uint64 // SYNC: park; set by the writer
	limit  *uint64
	spin   spinner

	seg     *Segment
	batch   ReadBatch
	cfg     ReaderConfig
	rescues uint64
	err     error // why the reader can go on no more
}

// noSize fits before no wrap and below no limit: it sends every Next and every Claim
// the slow way. Any description may stand in a hostile frame, so none can say that
// there is none.
const noSize = uint64(1) << 62

// NewReader returns a reader for the slot that cfg names. The error wraps ErrSlot
// if the table has no such slot, ErrNoPosition if no frame can start there.
func NewReader(seg *Segment, cfg ReaderConfig) (*Reader, error) {
	r := &Reader{seg: seg, data: seg.data.circle(), limit: seg.words.word(proto.WrLimit), size: noSize}
	r.frame.seg = seg
	if err := r.Rebind(cfg); err != nil {
		return nil, err
	}
	return r, nil
}

// Rebind moves the reader to another slot or another epoch's table, after a
// reconnect. A leased frame is released; cfg.Position is where it goes on. Errors
// wrap ErrSlot or ErrNoPosition.
func (r *Reader) Rebind(cfg ReaderConfig) error {
	if cfg.Slot < 0 || cfg.Slot >= cfg.Table.Slots() {
		return fmt.Errorf("slot %d of %d: %w", cfg.Slot, cfg.Table.Slots(), ErrSlot)
	}
	if cfg.Position%proto.LineBytes != 0 {
		return fmt.Errorf("position %d is not a multiple of %d: %w", cfg.Position, proto.LineBytes, ErrNoPosition)
	}
	r.cfg, r.spin = cfg, newSpinner(cfg.Spin)
	r.cursor = cfg.Table.slotWord(cfg.Slot, proto.SlCursor)
	r.wanted = cfg.Table.headWord(proto.TbWriterParked)
	r.pos, r.next, r.held, r.eager = cfg.Position, cfg.Position, false, !cfg.Asymmetric
	return nil
}

// Position is the reader's cursor: all before it is released.
func (r *Reader) Position() uint64 { return r.pos }

// Rescues counts waits that ended by the safety interval although work was there;
// anything but 0 is a bug in waking.
func (r *Reader) Rescues() uint64 { return r.rescues }

// Next returns the next frame under lease and waits for it if need be. A frame
// still held is released first. ctx is looked at only when the call has to wait. At
// the end of the ring it returns io.EOF. Other errors: those of ctx and of the
// Sleeper, after which Next may be called again; ErrCorrupt, ErrKind and ErrEvicted,
// which are final.
func (r *Reader) Next(ctx context.Context) (*Frame, error) {
	if r.held {
		if err := r.Release(); err != nil {
			return nil, err
		}
	}
	for {
		at := r.next // not r.pos, which was stored just now: a load from it would wait
		word := r.data.commitWord(at)
		like := r.size <= r.data.toWrap(at)
		if like {
			r.expect(at)
		}
		v := atomic.LoadUint64(word)
		if v == 0 && r.spin.now != 0 {
			if v = pauseWhile(word, 0, pauseBlock); v != 0 {
				r.spin.hit()
			}
		}
		if v == at|uint64(proto.KindData) && like { // SYNC: commit
			// Described like the one before it: no other check is needed.
			if number, desc := baseWords(word); desc == r.desc {
				r.frame.number = number
				r.next, r.held = at+r.size, true
				return &r.frame, nil
			}
		}
		if f, err := r.nextSlow(ctx, v); f != nil || err != nil {
			return f, err
		}
	}
}

// expect makes the frame what it will be if the one at position is described like the
// one before it: all but its number. Once a reader that waits has seen the commit word,
// each instruction up to its answer counts.
func (r *Reader) expect(at uint64) {
	f := &r.frame
	f.position, f.end, f.desc = at, at+r.size, r.desc
	f.kind, f.extended = proto.KindData, false
	f.payload = r.data.inline(at, r.bytes)
}

// Ready reports whether Next would return at once, with a frame or an error that
// the ring holds.
func (r *Reader) Ready() bool {
	return atomic.LoadUint64(r.seg.commitWord(r.next)) != 0 || r.err != nil
}

// nextSlow is a step of Next when there is not a frame like the one before it: word
// is the commit word found. It waits for another one, skips what is not for the
// caller, and then returns no frame, or returns one.
func (r *Reader) nextSlow(ctx context.Context, word uint64) (*Frame, error) {
	if r.err != nil {
		return nil, r.err
	}
	if word == 0 {
		_, err := r.await(ctx)
		return nil, err
	}
	kind := proto.Kind(word & proto.KindMask)
	if word&^proto.KindMask != r.pos || kind == 0 {
		return nil, r.fail(unexpected(r.pos, word))
	}
	if err := r.frame.set(r.seg, r.pos, kind); err != nil {
		return nil, r.fail(err)
	}
	deliver, err := r.frame.delivered()
	if err != nil {
		return nil, r.fail(err)
	}
	r.next, r.held = r.frame.end, true
	if !deliver {
		return nil, r.Release()
	}
	r.remember()
	return &r.frame, nil
}

// remember keeps what was checked of an inline data frame, so that the next one
// with the same description needs no check but the wrap.
func (r *Reader) remember() {
	f := &r.frame
	if f.extended || f.kind != proto.KindData || len(f.payload) == 0 {
		return
	}
	r.desc, r.bytes, r.size = f.desc, uint64(len(f.payload)), f.end-f.position
}

// fail makes err final. An evicted reader sees overwritten memory as corrupt, so
// the eviction is told first.
func (r *Reader) fail(err error) error {
	if !r.seg.intact(r.pos) {
		err = fmt.Errorf("at position %d: %w", r.pos, ErrEvicted)
	}
	r.err, r.size = err, noSize
	return err
}

// Release gives the leased frame back to the writer. ErrEvicted says that it may
// have been overwritten while it was held. Release without a lease does nothing.
func (r *Reader) Release() error {
	if !r.held {
		return r.err
	}
	r.held = false
	at := r.pos
	loadFence()
	if limit := atomic.LoadUint64(r.limit); int64(limit-at) > int64(r.data.capacity()) { // SYNC: limit
		return r.fail(ErrEvicted)
	}
	r.pos = r.next
	storeRelease(r.cursor, r.pos)
	if r.eager {
		fence() // SYNC: park
	}
	if wanted := atomic.LoadUint64(r.wanted); wanted != 0 {
		r.wakeWriter(wanted)
	}
	return nil
}

func (r *Reader) wakeWriter(wanted uint64) {
	if int64(r.pos-wanted&^proto.KindMask) < 0 {
		return
	}
	if atomic.SwapUint64(r.wanted, 0) != 0 {
		r.cfg.WriterBell.Ring()
	}
}

// Frames iterates over the frames to come. Each is released when the loop goes on
// or ends. The end of the ring ends the loop; an error is yielded last, with a nil
// frame.
func (r *Reader) Frames(ctx context.Context) iter.Seq2[*Frame, error] {
	return frames(ctx, r)
}

// source is what every kind of reader offers.
type source interface {
	Next(context.Context) (*Frame, error)
	Release() error
}

var (
	_ source = (*Reader)(nil)
	_ source = (*StreamReader)(nil)
	_ source = (*Observer)(nil)
)

func frames(ctx context.Context, r source) iter.Seq2[*Frame, error] {
	return func(yield func(*Frame, error) bool) {
		for {
			f, err := r.Next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			more := yield(f, nil)
			if err := r.Release(); err != nil {
				if more {
					yield(nil, err)
				}
				return
			}
			if !more {
				return
			}
		}
	}
}
