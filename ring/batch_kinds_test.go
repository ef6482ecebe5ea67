package ring_test

import (
	"context"
	"io"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// tailNews announces what a writer of the same test has committed.
type tailNews struct {
	seg      *ring.Segment
	released uint64
}

func (a *tailNews) Await(_ context.Context, position uint64) (uint64, error) {
	if state := a.seg.State(); state.Ended && state.Final == position {
		return 0, io.EOF
	}
	return a.seg.Tail(), nil
}

func (a *tailNews) Released(position uint64) { a.released = position }

// Check that a stream reader's batches hold each frame once, in order, end at the
// announced position and at other kinds of frames, and release all they leased.
func TestStreamBatches(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", 64<<10), ring.WriterConfig{FreeRun: true})
	ctx := context.Background()
	put := func(n int) {
		for range n {
			c, err := p.w.Claim(ctx, proto.F64, 5)
			if err != nil {
				t.Fatal(err)
			}
			c.Commit()
		}
	}
	news := &tailNews{seg: p.seg}
	r := ring.NewStreamReader(p.seg, 0, news)
	put(3)
	if b, err := r.NextBatch(ctx, 64); err != nil || b.Len() != 3 {
		t.Fatalf("first batch: %v, %v", b, err)
	}
	put(2)
	c, err := p.w.Claim(ctx, proto.F64, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
	put(1)
	p.w.Finish()
	var lengths []int
	number := uint64(3)
	for {
		b, err := r.NextBatch(ctx, 64)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Number(0) != number {
			t.Fatalf("batch starts with frame %d, want %d", b.Number(0), number)
		}
		number += uint64(b.Len())
		lengths = append(lengths, b.Len())
	}
	if number != 7 || len(lengths) != 3 || lengths[0] != 2 || lengths[1] != 1 || lengths[2] != 1 {
		t.Fatalf("batches of %v frames up to number %d", lengths, number)
	}
	if news.released != p.w.Position() {
		t.Fatalf("released %d of %d", news.released, p.w.Position())
	}
}

// Check that a batch gives no space beyond its own frames: behind the last one lies
// the end of the mapping.
func TestBatchBounds(t *testing.T) {
	p := newPair(t, 64<<10, 0)
	ctx := context.Background()
	w, err := p.w.ClaimBatch(ctx, proto.F64, 5, 4)
	if err != nil {
		t.Fatal(err)
	}
	mustPanic(t, func() { w.Payload(4) })
	mustPanic(t, func() { w.Payload(-1) })
	w.Commit()
	r, err := p.r.NextBatch(ctx, 4)
	if err != nil {
		t.Fatal(err)
	}
	mustPanic(t, func() { r.Payload(4) })
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}
