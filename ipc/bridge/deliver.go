package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// directBytes is the payload from which a result is sent straight from the ring;
// below it a copy into the batch costs less than a system call of its own.
const directBytes = 64 << 10

// batchFrames is how many results are gathered at most before all that is queued
// is sent.
const batchFrames = 1024

// delivery takes results from the ring to their clients. One goroutine runs it.
type delivery struct {
	bridge  *Bridge
	expired context.Context
	ready   func() bool // nil if the source cannot tell
	dirty   []*stream   // with results queued since the last sending
	last    *stream     // of the frame before
	frames  int
	head    proto.ResultHead
}

func (b *Bridge) newDelivery() *delivery {
	d := &delivery{bridge: b}
	var cancel context.CancelFunc
	d.expired, cancel = context.WithCancel(context.Background())
	cancel()
	if r, ok := b.cfg.From.(interface{ Ready() bool }); ok {
		d.ready = r.Ready
	}
	return d
}

// run delivers until ctx is done or the ring of results ends, or loses its memory.
func (d *delivery) run(ctx context.Context) error {
	err := ring.Guard(func() error { return d.deliver(ctx) }, d.bridge.regions()...)
	if errors.Is(err, ring.ErrSegmentLost) {
		err = fmt.Errorf("results from ring %q: %w", d.bridge.cfg.From.Identity().Name, err)
	}
	return err
}

func (d *delivery) deliver(ctx context.Context) error {
	from := d.bridge.cfg.From
	for {
		f, err := d.next(ctx)
		if err == nil {
			d.frame(f)
			valid := f.Valid()
			if err = from.Release(); err == nil && !valid {
				err = ring.ErrEvicted
			}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF):
			d.send()
			return fmt.Errorf("ring %q: %w", from.Identity().Name, ErrResultsEnded)
		default:
			return fmt.Errorf("results from ring %q: %w", from.Identity().Name, err)
		}
	}
}

// next returns the next frame. Before it waits for one, all that is queued is sent.
func (d *delivery) next(ctx context.Context) (*ring.Frame, error) {
	if len(d.dirty) > 0 {
		if d.frames >= batchFrames || d.ready != nil && !d.ready() {
			d.send()
		} else if d.ready == nil {
			f, err := d.bridge.cfg.From.Next(d.expired)
			if !errors.Is(err, context.Canceled) {
				return f, err
			}
			d.send()
		}
	}
	return d.bridge.cfg.From.Next(ctx)
}

// send sends what is queued.
func (d *delivery) send() {
	for i, s := range d.dirty {
		s.sendQueued()
		s.noted = false
		d.dirty[i] = nil
	}
	d.dirty, d.frames = d.dirty[:0], 0
}

// frame routes one frame of the ring.
func (d *delivery) frame(f *ring.Frame) {
	h := f.Header()
	if h.ExtFlags&proto.ExtStream == 0 {
		d.bridge.tally.stray.Add(1)
		return
	}
	s := d.last
	if s == nil || s.id != h.Stream {
		if s = d.bridge.routes.find(h.Stream); s == nil {
			d.bridge.tally.stray.Add(1)
			return
		}
		d.last = s
	}
	switch h.Kind {
	case proto.KindStreamEnd:
		d.end(s)
	case proto.KindData:
		d.result(s, f, &h)
	}
}

func (d *delivery) result(s *stream, f *ring.Frame, h *proto.Header) {
	payload := f.Payload()
	if h.DType != proto.F64 || h.ExtFlags&proto.ExtStrides != 0 || h.Role > proto.RoleDelta {
		d.bridge.tally.stray.Add(1) // no result of the seed protocol
		return
	}
	if h.Role == proto.RolePrimary {
		d.head.TimeNs = h.TimeNs
		if h.ExtFlags&proto.ExtTime == 0 {
			d.head.TimeNs = uint64(time.Now().UnixNano())
		}
		if !f.More() {
			s.credit.give(int64(proto.SeedResultHeadBytes + len(payload))) // no DELTA will come
		}
	}
	d.head.Sequence, d.head.Role = h.Sequence, h.Role
	d.bridge.tally.results.Add(1)
	d.bridge.tally.resultBytes.Add(uint64(len(payload)))
	if len(payload) >= directBytes {
		s.sendFrom(d.head, payload)
		return
	}
	d.frames++
	d.note(s)
	waiting := s.queue(d.head, payload)
	if waiting >= blockBytes-2*(proto.SeedResultHeadBytes+len(payload)) && !f.More() {
		s.sendQueued()
	}
	if most := d.bridge.mostQueued(); waiting > most {
		s.kill(fmt.Errorf("%d bytes of results wait, the stage sends more than was asked: %w", waiting, ErrConversation))
	}
}

// mostQueued is what one client can have waiting if the stage answers each chunk
// by PRIMARY and DELTA of its length.
func (b *Bridge) mostQueued() int {
	return int(b.cfg.MemoryBytes) + 2*int(resultBytes(int(b.limit)))
}

// note remembers that s has results queued.
func (d *delivery) note(s *stream) {
	if !s.noted {
		s.noted = true
		d.dirty = append(d.dirty, s)
	}
}

// end is the end of a stream: everything it was sent stands before it.
func (d *delivery) end(s *stream) {
	d.last = nil
	s.sendQueued()
	s.out.end()
	if !s.finishing.Load() {
		d.bridge.logger.Warn("stream ended by the stage", "client", s.conn.RemoteAddr().String(), "stream", s.id)
		s.stop()
	}
}
