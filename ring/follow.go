package ring

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// Follower tells a goroutine of the writer's process how far the ring is
// committed, batch by batch, so that it can announce it. It is for one goroutine.
type Follower struct {
	w       *Writer
	pos     uint64
	sleeper Sleeper
	bell    Bell
	parked  atomic.Bool
}

// Follow makes f the writer's follower; a writer has at most one. bell wakes s.
func (w *Writer) Follow(s Sleeper, bell Bell) *Follower {
	f := &Follower{w: w, pos: w.Position(), sleeper: s, bell: bell}
	w.follow.Store(f)
	return f
}

// Next blocks until more is committed than it told last and returns up to where.
// At the end of the ring it returns the final position and io.EOF.
func (f *Follower) Next(ctx context.Context) (uint64, error) {
	for {
		if f.advance() {
			return f.pos, nil
		}
		if f.w.seg.ended(f.pos) {
			return f.pos, io.EOF
		}
		if err := f.park(ctx); err != nil {
			return f.pos, err
		}
	}
}

// advance walks to the end of what is committed, from the published tail if that is
// further: the frames before it need no look.
func (f *Follower) advance() bool {
	from := f.pos
	if tail := f.w.Position(); int64(tail-from) > 0 {
		from = tail
	}
	end := f.w.seg.committed(from)
	moved := end != f.pos
	f.pos = end
	return moved
}

// park sleeps once unless a commit is there already. SYNC: park.
func (f *Follower) park(ctx context.Context) error {
	f.parked.Store(true)
	atomic.StoreUint64(f.w.table.headWord(proto.TbReadersParked), 1)
	fence()
	if f.w.cfg.Barrier != nil {
		f.w.cfg.Barrier()
	}
	defer f.parked.Store(false)
	if f.advanced() || f.w.seg.ended(f.pos) {
		return nil
	}
	return f.sleeper.Sleep(ctx)
}

// advanced reports whether there is more to tell. If the ring was lapped since, only
// the published tail tells so.
func (f *Follower) advanced() bool {
	if int64(f.w.Position()-f.pos) > 0 {
		return true
	}
	return atomic.LoadUint64(f.w.seg.commitWord(f.pos)) == f.pos|uint64(proto.KindData) || f.w.seg.committed(f.pos) != f.pos
}
