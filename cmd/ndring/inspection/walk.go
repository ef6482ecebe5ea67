package inspection

import (
	"context"
	"errors"
	"io"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// walked is what a walk over the headers of a ring found.
type walked struct {
	from   uint64 // where it began
	kept   uint64 // frames seen
	next   uint64 // number of the frame that will stand at tail
	tail   uint64
	starts []start           // of the last frames, oldest first
	first  stamp             // of the first frame that carries a time
	last   stamp             // of the last one
	number map[uint64]uint64 // of the frame at each cursor asked for
}

// start is where a frame begins.
type start struct {
	position, number uint64
}

// stamp is the time of a frame.
type stamp struct {
	number, ns uint64
}

// reader is what both kinds of walks read with.
type reader interface {
	Next(context.Context) (*ring.Frame, error)
}

// announced ends a walk at a position that is committed.
type announced uint64

func (a announced) Await(_ context.Context, position uint64) (uint64, error) {
	if int64(position-uint64(a)) >= 0 {
		return 0, io.EOF
	}
	return uint64(a), nil
}

func (announced) Released(uint64) {}

var _ ring.Announcements = announced(0)

// walk goes from the oldest frame to the tail, and remembers the last frames and
// the numbers at cursors.
//
// A cursor that holds the writer may stand before the oldest frame that is known to
// start one; the walk then begins there, unless no frame does, since readers can
// write their cursors. Where the oldest frames are overwritten meanwhile, what is
// behind such a cursor is not.
func walk(ctx context.Context, seg *ring.Segment, last int, cursors []uint64) (*walked, error) {
	oldest := seg.Oldest()
	from := lowest(seg, oldest, cursors)
	w, err := walkFrom(ctx, seg, from, last, cursors)
	if err != nil && from != oldest && ctx.Err() == nil {
		w, err = walkFrom(ctx, seg, oldest, last, cursors)
	}
	if !errors.Is(err, ring.ErrEvicted) {
		return w, err
	}
	if from = lowest(seg, seg.Tail(), cursors); from != seg.Tail() {
		if w, err = walkFrom(ctx, seg, from, last, cursors); err == nil {
			return w, nil
		}
	}
	return follow(ctx, seg, last, cursors)
}

func walkFrom(ctx context.Context, seg *ring.Segment, from uint64, last int, cursors []uint64) (*walked, error) {
	w, tail := newWalked(seg, cursors), seg.Tail()
	w.from = from
	return w, w.run(ctx, ring.NewStreamReader(seg, from, announced(tail)), tail, last)
}

// lowest is the lowest of from and those cursors that are not overwritten.
func lowest(seg *ring.Segment, from uint64, cursors []uint64) uint64 {
	limit, capacity := seg.State().Limit, seg.Identity().Capacity
	for _, c := range cursors {
		if int64(from-c) > 0 && int64(limit-c) <= int64(capacity) && c%proto.LineBytes == 0 {
			from = c
		}
	}
	return from
}

// follow is walk where the writer is faster than the first one: an observer skips
// what is overwritten meanwhile.
func follow(ctx context.Context, seg *ring.Segment, last int, cursors []uint64) (*walked, error) {
	o, err := ring.NewObserver(seg, ring.ObserverConfig{
		Start: proto.StartOldest,
		Wait:  func(context.Context, uint64) error { return io.EOF },
	})
	if err != nil {
		return newWalked(seg, cursors), err
	}
	w := newWalked(seg, cursors)
	w.from = o.Position()
	return w, w.run(ctx, o, seg.Tail(), last)
}

func newWalked(seg *ring.Segment, cursors []uint64) *walked {
	w := &walked{from: seg.Oldest(), number: map[uint64]uint64{}, next: seg.State().Number}
	for _, c := range cursors {
		w.number[c] = unknown
	}
	return w
}

// unknown is the number of no frame.
const unknown = ^uint64(0)

// run reads up to the tail.
func (w *walked) run(ctx context.Context, r reader, tail uint64, last int) error {
	end := w.from
	for {
		f, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			w.close(end)
			return nil
		}
		if err != nil {
			w.close(end)
			return err
		}
		w.kept++
		w.next, end = f.Number()+1, f.End()
		if _, asked := w.number[f.Position()]; asked {
			w.number[f.Position()] = f.Number()
		}
		w.stamp(f)
		w.remember(start{f.Position(), f.Number()}, last)
		if int64(end-tail) >= 0 {
			w.close(end)
			return nil
		}
	}
}

func (w *walked) stamp(f *ring.Frame) {
	h := f.Header()
	if h.ExtFlags&proto.ExtTime == 0 {
		return
	}
	w.last = stamp{h.Number, h.TimeNs}
	if w.first.ns == 0 {
		w.first = w.last
	}
}

func (w *walked) remember(s start, last int) {
	if last == 0 {
		return
	}
	if len(w.starts) >= 2*last { // drop half at a time
		w.starts = append(w.starts[:0], w.starts[len(w.starts)-last:]...)
	}
	w.starts = append(w.starts, s)
}

func (w *walked) close(tail uint64) {
	w.tail = tail
	if _, asked := w.number[tail]; asked {
		w.number[tail] = w.next
	}
}

// recent are the last n starts.
func (w *walked) recent(n int) []start {
	return w.starts[max(0, len(w.starts)-n):]
}

// lag is how many frames lie between cursor and tail.
func (w *walked) lag(cursor uint64) *uint64 {
	number, asked := w.number[cursor]
	if !asked || number == unknown {
		return nil
	}
	behind := w.next - number
	return &behind
}
