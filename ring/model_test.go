package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// model is the ring as a list: frames with their sizes and stamps, a cursor for each
// reader, and no memory to run out of.
type model struct {
	frames  []modelFrame
	readers []*modelReader
	ended   bool
}

type modelFrame struct {
	bytes int
	seed  uint64
}

type modelReader struct {
	next int // index of the frame it reads next
	r    *ring.Reader
	at   ring.Attached
}

// op is one step of a random history; what it does follows from its numbers and the
// state it meets, so that any part of a history is one too.
type op struct{ what, a, b uint32 }

func randomOps(seed uint64, n int) []op {
	rnd := rand.New(rand.NewPCG(seed, 1))
	ops := make([]op, n)
	for i := range ops {
		ops[i] = op{rnd.Uint32(), rnd.Uint32(), rnd.Uint32()}
	}
	return ops
}

// replay runs a history on a ring and on the model and returns the first difference.
func replay(t *testing.T, ops []op) error {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	m := &model{}
	for i, o := range ops {
		if err := m.step(p, o); err != nil {
			return fmt.Errorf("step %d of %d: %w", i, len(ops), err)
		}
	}
	return m.finish(p)
}

func (m *model) step(p *pair, o op) error {
	switch o.what % 16 {
	case 0, 1, 2, 3, 4, 5:
		return m.write(p, o)
	case 6:
		return m.attach(p, o)
	case 7:
		return m.detach(p, o)
	default:
		return m.read(p, o)
	}
}

// write claims a frame, a group or a batch, and commits it or not.
func (m *model) write(p *pair, o op) error {
	size := int(o.a) % []int{50, 1000, smallBytes/4 + 1}[o.a%3]
	commit, abort, payloads, err := m.claim(p, o.b%3, size, 1+int(o.b>>8)%4)
	if errors.Is(err, errAsleep) {
		return m.full(p, size)
	}
	if err != nil {
		return err
	}
	for i, b := range payloads {
		stamp(b, uint64(len(m.frames)+i))
	}
	if o.b>>16%8 == 0 {
		abort()
		return nil
	}
	commit()
	for _, b := range payloads {
		m.frames = append(m.frames, modelFrame{len(b), uint64(len(m.frames))})
	}
	return nil
}

func (m *model) claim(p *pair, sort uint32, size, count int) (commit, abort func(), payloads [][]byte, err error) {
	ctx := context.Background()
	switch sort {
	case 0:
		c, err := p.w.Claim(ctx, proto.U8, size)
		if err != nil {
			return nil, nil, nil, err
		}
		return c.Commit, c.Abort, [][]byte{c.Payload()}, nil
	case 1:
		heads := make([]proto.Header, count)
		for i := range heads {
			heads[i] = proto.Header{DType: proto.U8, NDim: uint8(1 + i%2), Shape: [8]uint64{uint64(size) / 2, 1}}
		}
		g, err := p.w.ClaimGroup(ctx, heads)
		if errors.Is(err, ring.ErrFrameTooLarge) {
			return func() {}, func() {}, nil, nil
		}
		if err != nil {
			return nil, nil, nil, err
		}
		for i := range g.Len() {
			payloads = append(payloads, g.Payload(i))
		}
		return g.Commit, g.Abort, payloads, nil
	}
	b, err := p.w.ClaimBatch(ctx, proto.U8, size, count)
	if err != nil {
		return nil, nil, nil, err
	}
	for i := range b.Len() {
		payloads = append(payloads, b.Payload(i))
	}
	return b.Commit, b.Abort, payloads, nil
}

// full accepts a refusal only if somebody holds the ring, or nobody came yet.
func (m *model) full(p *pair, size int) error {
	if len(m.readers) == 0 && p.seg.State().Flags&proto.WriterSawReader != 0 {
		return fmt.Errorf("claim of %d bytes: full, but nobody reads", size)
	}
	for _, r := range m.readers {
		if r.next < len(m.frames) {
			return nil
		}
	}
	if len(m.readers) > 0 {
		return fmt.Errorf("claim of %d bytes: full, but every reader is done", size)
	}
	return nil
}

func (m *model) attach(p *pair, o op) error {
	if len(m.readers) == 3 {
		return nil
	}
	latest := o.a%2 == 0
	start := map[bool]proto.Start{true: proto.StartLatest, false: proto.StartOldest}[latest]
	firstEver := p.seg.State().Flags&proto.WriterSawReader == 0
	got, err := p.w.Attach(ring.Attach{Start: start})
	if err != nil {
		return err
	}
	r, err := ring.NewReader(p.seg, ring.ReaderConfig{
		Table: p.table, Slot: got.Slot, Generation: got.Generation, Position: got.Start, Sleeper: awake{}, WriterBell: awake{},
	})
	if err != nil {
		return err
	}
	first := len(m.frames)
	if !latest {
		first -= p.frames(got.Start)
	}
	if !latest && firstEver && first != 0 {
		return fmt.Errorf("the first reader starts at frame %d", first)
	}
	m.readers = append(m.readers, &modelReader{next: first, r: r, at: got})
	return nil
}

func (m *model) detach(p *pair, o op) error {
	if len(m.readers) == 0 {
		return nil
	}
	i := int(o.a) % len(m.readers)
	p.w.Detach(m.readers[i].at.Slot)
	m.readers = append(m.readers[:i], m.readers[i+1:]...)
	return nil
}

func (m *model) read(p *pair, o op) error {
	if len(m.readers) == 0 {
		return nil
	}
	r := m.readers[int(o.a)%len(m.readers)]
	for range o.b % 8 {
		if err := r.step(m); err != nil {
			return err
		}
	}
	return nil
}

// step reads one frame and compares it, or the lack of one.
func (r *modelReader) step(m *model) error {
	f, err := r.r.Next(context.Background())
	if r.next == len(m.frames) {
		if m.ended && err != io.EOF || !m.ended && !errors.Is(err, errAsleep) {
			return fmt.Errorf("after frame %d: %w", r.next, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("frame %d: %w", r.next, err)
	}
	want := m.frames[r.next]
	if f.Number() != uint64(r.next) || len(f.Payload()) != want.bytes || !stamped(f.Payload(), want.seed) {
		return fmt.Errorf("frame %d: got number %d of %d bytes, want %d", r.next, f.Number(), len(f.Payload()), want.bytes)
	}
	r.next++
	return r.r.Release()
}

// finish ends the ring, dies and is revived in between, and reads out every reader.
func (m *model) finish(p *pair) error {
	if n := p.seg.State().Number; n > uint64(len(m.frames)) {
		return fmt.Errorf("number %d after %d frames", n, len(m.frames))
	}
	p.w.Finish()
	m.ended = true
	for _, r := range m.readers {
		for left := len(m.frames) - r.next; left >= 0; left-- {
			if err := r.step(m); err != nil {
				return fmt.Errorf("at the end: %w", err)
			}
		}
	}
	return p.w.Drain(context.Background())
}

// Check that random histories of claims, groups, batches, aborts, attaches, detaches
// and reads leave ring and model alike. A history that fails is halved while a part
// of it still does.
func TestAgainstModel(t *testing.T) {
	base := rand.Uint64()
	for i := range uint64(30) {
		ops := randomOps(base+i, 1200)
		err := replay(t, ops)
		if err == nil {
			continue
		}
		for shrunk := true; shrunk; {
			shrunk = false
			for size := len(ops) / 2; size > 0 && !shrunk; size /= 2 {
				for from := 0; from+size <= len(ops) && !shrunk; from += size {
					part := append(append([]op{}, ops[:from]...), ops[from+size:]...)
					if e := replay(t, part); e != nil {
						ops, err, shrunk = part, e, true
					}
				}
			}
		}
		t.Fatalf("seed %d: %v\nhistory: %+v", base+i, err, ops)
	}
}
