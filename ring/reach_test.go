package ring_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// randomGroup is one to three frames of up to an eighth of a small ring each.
func randomGroup(rng *rand.Rand) (heads []proto.Header, size uint64) {
	for range 1 + rng.IntN(3) {
		h := proto.Header{DType: proto.U8, NDim: 1}
		h.Shape[0] = rng.Uint64N(1 << rng.IntN(14))
		heads = append(heads, h)
		size += proto.FrameBytes(h.Shape[0])
	}
	return heads, size
}

// Check that no claim of a group raises the limit beyond what Reach said, with every
// sort of padding and however far the reader is behind, and that Reach says no more
// than padding, a sixteenth and a line make.
func TestReachBoundsTheLimit(t *testing.T) {
	for _, start := range []uint64{0, 1<<64 - 3*smallBytes} {
		rng := rand.New(rand.NewPCG(start, 5))
		p := newStill(t, startAt(start))
		padded := 0
		for i := range 20000 {
			heads, size := randomGroup(rng)
			for int64(p.w.Segment().Tail()-p.r.Position()) > smallBytes/4 || rng.IntN(3) == 0 && p.r.Position() != p.seg.Tail() {
				next(t, p.r)
				if err := p.r.Release(); err != nil {
					t.Fatal(err)
				}
			}
			at := p.seg.Tail()
			reach := ring.Reach(smallBytes, at, size)
			g, err := p.w.ClaimGroup(context.Background(), heads)
			if err != nil {
				t.Fatalf("group %d of %d bytes at %d: %v", i, size, at, err)
			}
			if g.End() != g.Position()+size {
				t.Fatalf("group of %d bytes from %d to %d", size, g.Position(), g.End())
			}
			if g.Position() != at {
				padded++
			}
			if limit := p.seg.State().Limit; int64(limit-reach) > 0 {
				t.Fatalf("group %d of %d bytes at %d: limit %d is beyond %d", i, size, at, limit, reach)
			}
			if most := g.End() + proto.LineBytes + smallBytes/proto.LimitDivisor; int64(reach-most) > 0 {
				t.Fatalf("group %d of %d bytes at %d: reach %d, want at most %d", i, size, at, reach, most)
			}
			g.Commit()
		}
		if padded < 100 {
			t.Fatalf("only %d groups with padding", padded)
		}
	}
}

// Check that an observer starts at a position known to start a frame although no
// boundary leads to it, as long as the frame is there, and nowhere else.
func TestObserverStartsAtKnownPosition(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Sleeper: awake{}})
	p.put(t, 40, 0)
	p.put(t, 40, 1)
	known := func(at uint64) (*ring.Observer, error) {
		return ring.NewObserver(p.seg, ring.ObserverConfig{
			Start: proto.StartPosition, Position: at, Known: true, Wait: func(context.Context, uint64) error { return errAsleep },
		})
	}
	for i := range uint64(2) {
		o, err := known(64 * i)
		if err != nil {
			t.Fatal(err)
		}
		take(t, o, 40, i)
	}
	if o, err := known(128); err != nil || o.Position() != 128 {
		t.Fatalf("at the tail: %v", err)
	}
	for _, at := range []uint64{1, 192, 1 << 63, 1<<64 - 64} {
		_, err := known(at)
		wantErr(t, err, ring.ErrNoPosition)
	}
	for i := range uint64(smallBytes / 64) {
		p.put(t, 40, i)
	}
	_, err := known(64)
	wantErr(t, err, ring.ErrNoPosition)
}
