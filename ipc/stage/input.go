package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// input is one ring being read. One goroutine runs it.
type input struct {
	stage   *Stage
	src     Source // nil if the ring is gone since an earlier life
	lives   Lives  // nil unless src is one
	name    string
	ringID  uint64
	rings   []ring.Region // whose memory can be lost
	streams streams
	head    proto.Header    // of the frame under lease
	heads   [2]proto.Header // of its results
	count   counters

	began      bool   // a frame was answered
	answered   uint64 // if began, the position of the last one
	doubted    bool   // streams of an earlier life may have been forgotten
	over       bool   // it has ended, and all of it is answered
	locksClaim bool
}

// counters are stored by the input's goroutine only.
type counters struct {
	frames, deltas, skipped, dropped, streams, ended, evicted, position atomic.Uint64
}

func add(c *atomic.Uint64) { c.Store(c.Load() + 1) }

func newInput(s *Stage, src Source) *input {
	id := src.Identity()
	in := &input{stage: s, src: src, name: id.Name, ringID: id.RingID.Short()}
	in.lives, _ = src.(Lives)
	in.rings = regions(src, s.out)
	in.streams.init(in)
	return in
}

// run answers every frame. The memory of both rings may be lost meanwhile.
func (in *input) run(ctx context.Context) error {
	err := ring.Guard(func() error { return in.answerAll(ctx) }, in.rings...)
	if errors.Is(err, ring.ErrSegmentLost) {
		err = fmt.Errorf("results of ring %q: %w", in.name, err)
	}
	return err
}

// regions are those of rings whose memory can be lost.
func regions(rings ...any) []ring.Region {
	var all []ring.Region
	for _, r := range rings {
		if r, ok := r.(ring.Region); ok {
			all = append(all, r)
		}
	}
	return all
}

func (in *input) answerAll(ctx context.Context) error {
	in.locksClaim = len(in.stage.fed) > 1
	for {
		f, err := in.src.Next(ctx)
		if err == io.EOF {
			return in.conclude()
		}
		if err != nil {
			return fmt.Errorf("read ring %q: %w", in.name, err)
		}
		if err := in.answer(ctx, f); err != nil {
			return err
		}
		end := f.End()
		if err := in.src.Release(); err != nil {
			return fmt.Errorf("release frame of ring %q: %w", in.name, err)
		}
		in.count.position.Store(end)
	}
}

// answer commits what the frame calls for. Afterwards the frame may be released:
// in this order a stage that dies between the two finds the result in its output
// ring and skips the frame, but for the streams it may still have to end to make room.
func (in *input) answer(ctx context.Context, f *ring.Frame) error {
	if in.began && int64(f.Position()-in.answered) <= 0 {
		add(&in.count.skipped)
		if f.Position() != in.answered {
			return nil
		}
		in.head = f.Header()
		return in.makeRoom(ctx, f)
	}
	switch f.Kind() {
	case proto.KindData:
		return in.data(ctx, f)
	case proto.KindStreamEnd:
		return in.streamEnd(ctx, f)
	}
	return nil
}

func (in *input) data(ctx context.Context, f *ring.Frame) error {
	in.head = f.Header()
	h := &in.head
	if h.DType != proto.F64 {
		return fmt.Errorf("frame %d of ring %q holds %v, kernel %s takes f64: convert it before the stage: %w",
			h.Number, in.name, h.DType, in.stage.cfg.Kernel.Name(), ErrDType)
	}
	id, sequence := uint64(0), uint32(h.Number+1)
	if h.ExtFlags&proto.ExtStream != 0 {
		id, sequence = h.Stream, h.Sequence
	}
	if err := in.follow(ctx, id); err != nil {
		return err
	}
	st := in.streams.use(id)
	if st.ended && sequence != 1 {
		return nil
	}
	if in.doubted && !st.primed && sequence != 1 && !in.stage.cfg.NoDelta {
		return in.lost(ctx, f, st, sequence)
	}
	if err := in.result(ctx, f, st, sequence); err != nil {
		return err
	}
	add(&in.count.frames)
	return in.makeRoom(ctx, f)
}

// result claims, computes in place and commits PRIMARY and, if it is defined,
// DELTA. The state changes with the claim's lock held: another input may be writing it
// to the journal.
func (in *input) result(ctx context.Context, f *ring.Frame, st *stream, sequence uint32) error {
	n := 1
	if !in.stage.cfg.NoDelta && st.continues(&in.head) {
		n = 2
	}
	in.describe(f, st.id, sequence)
	if in.locksClaim {
		in.stage.mu.Lock()
		defer in.stage.mu.Unlock()
	}
	g, err := in.stage.claim(ctx, in.heads[:n])
	if errors.Is(err, ring.ErrDropped) {
		add(&in.count.dropped)
		st.sequence = sequence // the rest stays: the next DELTA refers to what was delivered
		return nil
	}
	if err != nil {
		return fmt.Errorf("result of frame %d of ring %q: %w", in.head.Number, in.name, err)
	}
	in.stage.ahead = true // and stays so if the memory of the frame is lost under the kernel
	if err := in.compute(f, g, st); err != nil {
		g.Abort()
		return err
	}
	if err := f.Check(); err != nil {
		g.Abort()
		if errors.Is(err, ring.ErrEvicted) {
			err = ErrEvicted
		}
		return fmt.Errorf("frame %d of ring %q: %w", in.head.Number, in.name, err)
	}
	g.Commit()
	st.sequence, st.source, st.ended = sequence, f.Position(), false
	in.committed(g, f.Position())
	in.stage.ledger.note(st, g.Position())
	in.stage.ahead = false
	if n == 2 {
		add(&in.count.deltas)
	}
	return nil
}

// errAhead ends the other inputs when one ended within a result: the kernel has changed
// the state of its stream, which would go to the journal with what they claim.
var errAhead = fmt.Errorf("another input ended within a result: %w", context.Canceled)

// claim claims a group, once everything that it gives up in the output ring is safe.
func (s *Stage) claim(ctx context.Context, heads []proto.Header) (*ring.Group, error) {
	if s.ahead {
		return nil, errAhead
	}
	if err := s.ledger.advance(groupBytes(heads), s.inputs); err != nil {
		return nil, err
	}
	return s.out.ClaimGroup(ctx, heads)
}

// committed remembers that g answers the frame at position.
func (in *input) committed(g *ring.Group, position uint64) {
	in.answered, in.began = position, true
	in.stage.ledger.committed(g)
}

// describe fills in the headers of both results.
func (in *input) describe(f *ring.Frame, id uint64, sequence uint32) {
	const carried = proto.ExtTime
	p := &in.heads[0]
	*p = proto.Header{
		DType: proto.F64, NDim: in.head.NDim, Shape: in.head.Shape,
		ExtFlags: in.head.ExtFlags&carried | proto.ExtStream | proto.ExtSource,
		Sequence: sequence, Stream: id, TimeNs: in.head.TimeNs,
		Source: f.Position(), SourceID: in.ringID,
	}
	in.heads[1] = *p
	in.heads[1].Role = proto.RoleDelta
}

// compute runs the kernel from the frame under lease into the claimed frames. A
// strided frame is packed into the claim first and computed there.
func (in *input) compute(f *ring.Frame, g *ring.Group, st *stream) error {
	k, y, x := in.stage.cfg.Kernel, g.Float64s(0), f.Float64s()
	if x == nil {
		a, err := f.Array()
		if err == nil {
			_, err = a.Copy(g.Payload(0))
		}
		if err != nil {
			return fmt.Errorf("pack frame %d of ring %q: %w", in.head.Number, in.name, err)
		}
		x = y
	}
	if g.Len() == 2 {
		k.ApplyDelta(y, g.Float64s(1), st.last, x)
		return nil
	}
	k.Apply(y, x)
	if !in.stage.cfg.NoDelta {
		in.streams.keep(st, &in.head, y)
	}
	return nil
}
