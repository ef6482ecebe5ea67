package ring

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// ObserverConfig says where an Observer starts and how it waits.
type ObserverConfig struct {
	Start    proto.Start
	Position uint64 // for proto.StartPosition
	// Known says that a frame is known to have started at Position: it need only be
	// there still, and no boundary has to lead to it.
	Known bool
	// Wait blocks until something may have been committed beyond position; it may
	// return early. It is called between two looks at the ring.
	Wait func(ctx context.Context, position uint64) error
}

// Observer is a lossy reader: the writer does not know of it, never waits for it
// and cannot be hurt by it. It copies each frame out, then proves that the copy was
// intact; when it was overtaken it goes on with newer frames and says how many it
// missed. It is for one goroutine at a time.
type Observer struct {
	seg    *Segment
	cfg    ObserverConfig
	pos    uint64
	number uint64 // expected next, if known
	known  bool
	missed uint64 // since the last frame delivered
	lost   uint64 // in all
	laps   uint64
	buf    []byte
	frame  Frame
}

// NewObserver returns an observer of a live or dead ring. The error wraps
// ErrNoPosition.
func NewObserver(seg *Segment, cfg ObserverConfig) (*Observer, error) {
	o := &Observer{seg: seg, cfg: cfg}
	tail := seg.Tail()
	switch cfg.Start {
	case proto.StartLatest:
		o.pos = tail
	case proto.StartPosition:
		if err := seg.reachable(cfg.Position, tail, cfg.Known); err != nil {
			return nil, err
		}
		o.pos = cfg.Position
	default:
		o.pos = seg.Oldest()
		o.known = o.pos == seg.id.Start // where number 0 stands
	}
	return o, nil
}

// reachable reports whether an observer can start at position. The error wraps
// ErrNoPosition.
func (s *Segment) reachable(position, tail uint64, known bool) error {
	floor := atomic.LoadUint64(s.words.word(proto.WrLimit)) - s.capacity
	if !known {
		return s.meets(position, floor, tail)
	}
	if position%proto.LineBytes != 0 || int64(position-floor) < 0 || int64(tail-position) < 0 || int64(position-s.id.Start) < 0 {
		return fmt.Errorf("position %d, the ring holds %d to %d: %w", position, floor, tail, ErrNoPosition)
	}
	return nil
}

// Tail is the end of what is committed, found by a walk from the shared tail. It
// may have moved on by the time it is returned. A walk that was overtaken begins
// again, unless the tail stands still: then the words are not a writer's, which
// stores a newer tail before it gives an old one up.
func (s *Segment) Tail() uint64 {
	for tail := s.sharedTail(); ; {
		if end := s.committed(tail); s.intact(end) {
			return end
		}
		newer := s.sharedTail()
		if newer == tail {
			return tail
		}
		tail = newer
	}
}

// Position is where the observer looks next.
func (o *Observer) Position() uint64 { return o.pos }

// Lost counts the frames missed so far: those told with Frame.Lost, and once Next has
// returned io.EOF those before the end of the ring too.
func (o *Observer) Lost() uint64 { return o.lost }

// Laps counts how often the observer was overtaken.
func (o *Observer) Laps() uint64 { return o.laps }

// Next returns a copy of the next frame, valid until the next call. Frame.Lost is
// the number of frames missed before it. At the end of the ring Next returns
// io.EOF; other errors are those of ctx and ObserverConfig.Wait, ErrCorrupt and
// ErrKind.
func (o *Observer) Next(ctx context.Context) (*Frame, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := o.look()
		if err != nil {
			return nil, err
		}
		if got {
			return &o.frame, nil
		}
		if o.seg.ended(o.pos) {
			o.countTo(atomic.LoadUint64(o.seg.words.word(proto.WrNumber)))
			return nil, io.EOF
		}
		if err := o.seg.vanished(o.pos); err != nil {
			return nil, err
		}
		if o.notYet() {
			// A writer that ends and leaves may be seen leaving first.
			if err := o.cfg.Wait(ctx, o.pos); err != nil && o.notYet() && !o.seg.ended(o.pos) {
				return nil, err
			}
		}
	}
}

// notYet reports whether the observer stands at the end of what is committed.
func (o *Observer) notYet() bool {
	return atomic.LoadUint64(o.seg.commitWord(o.pos)) == 0 && o.seg.intact(o.pos)
}

// look tries to take the frame at the observer's position. Whatever it finds counts
// only if the position was intact after the reading. SYNC: limit.
func (o *Observer) look() (bool, error) {
	word := atomic.LoadUint64(o.seg.commitWord(o.pos))
	kind := proto.Kind(word & proto.KindMask)
	var err error
	committed := word&^proto.KindMask == o.pos && kind != 0
	if committed {
		err = o.take(kind)
	}
	if !o.seg.intact(o.pos) {
		return false, o.resync()
	}
	if err != nil {
		return false, err
	}
	if !committed {
		if word != 0 {
			return false, unexpected(o.pos, word)
		}
		return false, nil
	}
	deliver, err := o.frame.delivered()
	if err != nil {
		return false, err
	}
	o.pos = o.frame.end
	if kind != proto.KindPadding {
		o.count(deliver)
	}
	return deliver, nil
}

// take copies the frame at the observer's position, torn or not.
func (o *Observer) take(kind proto.Kind) error {
	if err := o.frame.set(o.seg, o.pos, kind); err != nil {
		return err
	}
	if kind == proto.KindPadding {
		return nil
	}
	o.buf = append(o.buf[:0], o.frame.payload...)
	o.frame.payload = o.buf
	return nil
}

// count compares the frame's number with the one expected. What was missed is told
// with the next frame that is delivered.
func (o *Observer) count(deliver bool) {
	o.countTo(o.frame.number)
	o.number++
	if deliver {
		o.frame.lost, o.missed = o.missed, 0
	}
}

// countTo makes number the one expected next: those skipped were missed.
func (o *Observer) countTo(number uint64) {
	if o.known {
		o.missed += number - o.number
		o.lost += number - o.number
	}
	o.number, o.known = number, true
}

// resync goes on half a ring behind the writer: far enough from being overtaken
// again at once, and with some history. The writer stores a newer tail before it
// overtakes an old one, so a tail that is not ahead is not a writer's.
func (o *Observer) resync() error {
	tail := o.seg.sharedTail()
	limit := atomic.LoadUint64(o.seg.words.word(proto.WrLimit))
	next := o.seg.boundary(limit-o.seg.capacity/2, tail)
	if int64(next-o.pos) <= 0 {
		return fmt.Errorf("position %d is overtaken by limit %d, but the tail is %d: %w", o.pos, limit, tail, ErrCorrupt)
	}
	o.pos = next
	o.laps++
	return nil
}

// Release does nothing: an observer holds a copy.
func (o *Observer) Release() error { return nil }

// Frames is Reader.Frames.
func (o *Observer) Frames(ctx context.Context) iter.Seq2[*Frame, error] {
	return frames(ctx, o)
}

// String tells where the observer is, for messages.
func (o *Observer) String() string {
	return fmt.Sprintf("observer at position %d", o.pos)
}
