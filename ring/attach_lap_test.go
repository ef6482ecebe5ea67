//go:build !race

package ring_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// The tests of this file look at frames while they are being overwritten and find
// out afterwards, which the race detector cannot know to be right.

// freeRunner commits stamped frames as fast as it can until the returned stop is
// called.
func freeRunner(t *testing.T, p *pair, bytes int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for seed := uint64(0); ctx.Err() == nil; seed++ {
			c, err := p.w.Claim(ctx, proto.U8, int(seed*7)%bytes)
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			stamp(c.Payload(), seed)
			c.Commit()
		}
	}()
	return func() { cancel(); p.wb.Ring(); <-done }
}

// Check that a reader that attaches while the writer laps the ring gets whole frames
// in order from its first one on: its cursor holds the writer, or it sees the newer
// limit.
func TestAttachWhileLapping(t *testing.T) {
	for _, start := range []proto.Start{proto.StartOldest, proto.StartLatest} {
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true})
		stop := freeRunner(t, p, 200)
		for range 3000 {
			rb := newBell()
			got, err := p.w.Attach(ring.Attach{Start: start, Bell: rb})
			if err != nil {
				t.Fatal(err)
			}
			r := p.reader(t, got, ring.ReaderConfig{Sleeper: rb, WriterBell: p.wb})
			first := uint64(0)
			for i := range uint64(40) {
				f := next(t, r)
				if i == 0 {
					first = f.Number()
				}
				if f.Number() != first+i || !stamped(f.Payload(), f.Number()) {
					t.Fatalf("frame %d, intact %v, want %d", f.Number(), f.Valid(), first+i)
				}
				if err := r.Release(); err != nil {
					t.Fatalf("reader at %d, attached at %d: %v", r.Position(), got.Start, err)
				}
			}
			p.w.Detach(got.Slot)
		}
		stop()
	}
}

// Check that limit never leaves a reader that gates behind by more than the capacity,
// from the moment of its attach on, against a writer that laps the ring.
func TestLimitKeepsToNewReaders(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Now: stopped, Spin: time.Millisecond})
	stop := freeRunner(t, p, 1500)
	for i := range parkCycles() {
		got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest})
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + i%20 {
			if limit := p.seg.State().Limit; int64(limit-got.Start) > smallBytes {
				t.Fatalf("attach %d: reader at %d, limit %d", i, got.Start, limit)
			}
		}
		p.w.Detach(got.Slot)
	}
	stop()
}

// Check that a position is accepted only while its frame is in the ring, against a
// writer that laps it.
func TestAttachAtPositionWhileLapping(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true})
	stop := freeRunner(t, p, 200)
	accepted, refused := 0, 0
	for range 3000 {
		position := p.seg.Oldest()
		rb := newBell()
		got, err := p.w.Attach(ring.Attach{Start: proto.StartPosition, Position: position, Bell: rb})
		if err != nil {
			wantErr(t, err, ring.ErrNoPosition)
			refused++
			continue
		}
		accepted++
		r := p.reader(t, got, ring.ReaderConfig{Sleeper: rb, WriterBell: p.wb})
		if f := next(t, r); f.Position() < position || !stamped(f.Payload(), f.Number()) {
			t.Fatalf("asked for %d, got frame %d at %d", position, f.Number(), f.Position())
		}
		if err := r.Release(); err != nil {
			t.Fatal(err)
		}
		p.w.Detach(got.Slot)
	}
	stop()
	t.Logf("%d accepted, %d refused", accepted, refused)
}

// Check that the writer never blames a reader for the cursor of the one that had the
// slot before or after it.
func TestSlotReuseBlamesNobody(t *testing.T) {
	var blamed atomic.Int64
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{
		FreeRun: true,
		OnEvict: func(int, uint32, proto.Code) { blamed.Add(1) },
	})
	stop := freeRunner(t, p, 30)
	for i := range 50000 {
		start := proto.StartLatest
		if i%2 == 1 {
			start = proto.StartOldest
		}
		got, err := p.w.Attach(ring.Attach{Start: start, Bell: newBell()})
		if err != nil {
			t.Fatal(err)
		}
		p.w.Detach(got.Slot)
	}
	stop()
	if n := blamed.Load(); n != 0 {
		t.Fatalf("%d readers blamed", n)
	}
}
