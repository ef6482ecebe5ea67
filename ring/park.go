package ring

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// await returns the commit word at the reader's position once it is not 0.
func (r *Reader) await(ctx context.Context) (uint64, error) {
	word := r.seg.commitWord(r.pos)
	if v := atomic.LoadUint64(word); v != 0 {
		return v, nil
	}
	for {
		v, err := r.spinFor(ctx, word)
		if v != 0 || err != nil {
			return v, err
		}
		if err := r.ending(); err != nil {
			return 0, err
		}
		v, err = r.park(ctx, word)
		if v != 0 || err != nil {
			return v, err
		}
	}
}

func (r *Reader) spinFor(ctx context.Context, word *uint64) (uint64, error) {
	for step := range r.spin.budget() {
		if v := pauseWhile(word, 0, pauseBlock); v != 0 {
			r.spin.hit()
			return v, nil
		}
		if err := breathe(ctx, step); err != nil {
			return 0, err
		}
	}
	r.spin.miss()
	return 0, nil
}

// ending reports why no frame will come at the reader's position: io.EOF at the
// final position, ErrEvicted if the slot says so, ErrCorrupt if there was one.
func (r *Reader) ending() error {
	if r.seg.ended(r.pos) && atomic.LoadUint64(r.seg.commitWord(r.pos)) == 0 {
		return io.EOF
	}
	if err := r.seg.vanished(r.pos); err != nil {
		return r.fail(err)
	}
	state := atomic.LoadUint64(r.cfg.Table.slotWord(r.cfg.Slot, proto.SlState))
	if proto.SlotState(state) == proto.SlotEvicted && uint32(state>>32) == r.cfg.Generation {
		r.err, r.size = fmt.Errorf("slot %d at position %d: %w", r.cfg.Slot, r.pos, ErrEvicted), noSize
		return r.err
	}
	return nil
}

// park sleeps once unless the word is there already. SYNC: park: the parked words
// are stored, then the commit word is read again, then the reader sleeps; the
// writer stores the commit word, then reads the parked words.
func (r *Reader) park(ctx context.Context, word *uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t := r.cfg.Table
	own := t.slotWord(r.cfg.Slot, proto.SlParked)
	atomic.StoreUint64(t.slotWord(r.cfg.Slot, proto.SlNext), r.pos)
	atomic.StoreUint64(own, 1)
	atomic.StoreUint64(t.headWord(proto.TbReadersParked), 1)
	fence()
	if r.cfg.Barrier != nil {
		r.cfg.Barrier()
	}
	if v := atomic.LoadUint64(word); v != 0 || r.seg.ended(r.pos) {
		atomic.StoreUint64(own, 0)
		return v, nil
	}
	err := r.cfg.Sleeper.Sleep(ctx)
	rung := atomic.SwapUint64(own, 0) == 0
	v := atomic.LoadUint64(word)
	if v != 0 && !rung && err == nil && r.overslept() {
		r.rescues++
	}
	if v != 0 {
		return v, nil
	}
	if err == nil || r.seg.ended(r.pos) {
		return 0, r.ending()
	}
	return 0, err
}

// overslept reports whether the last sleep lasted for its safety interval. A bell
// rung for the frame before, or a note, may end one at the moment of a commit whose
// ring is still to come.
func (r *Reader) overslept() bool { return r.cfg.Overslept == nil || r.cfg.Overslept() }
