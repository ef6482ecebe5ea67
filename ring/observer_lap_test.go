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

// Check that an observer at full speed against a writer that laps it never hands out
// a torn frame, and that what it saw and what it lost add up.
func TestObserverAtFullSpeed(t *testing.T) {
	for _, bytes := range []int{60, 3000, smallBytes / 4} {
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true})
		o, err := ring.NewObserver(p.seg, ring.ObserverConfig{
			Start: proto.StartOldest, Wait: func(ctx context.Context, _ uint64) error { return ctx.Err() },
		})
		if err != nil {
			t.Fatal(err)
		}
		stop := freeRunner(t, p, bytes)
		accounted, seen := uint64(0), uint64(0)
		for until := time.Now().Add(time.Second); o.Laps() < 2000 && time.Now().Before(until); {
			f, err := o.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			accounted += f.Lost()
			if f.Number() != accounted || len(f.Payload()) != int(f.Number()*7)%bytes || !stamped(f.Payload(), f.Number()) {
				t.Fatalf("frame %d of %d bytes after %d lost, want %d", f.Number(), len(f.Payload()), f.Lost(), accounted)
			}
			accounted++
			seen++
		}
		stop()
		t.Logf("%d seen, %d lost, %d laps", seen, o.Lost(), o.Laps())
	}
}

// Check that a view of a frame that nobody holds is told to be invalid before the
// writer has touched it.
func TestValidTurnsBeforeOverwriting(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true})
	stop := freeRunner(t, p, 400)
	var torn, whole atomic.Int64
	for range 2000 {
		rb := newBell()
		got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Bell: rb})
		if err != nil {
			t.Fatal(err)
		}
		r := p.reader(t, got, ring.ReaderConfig{Sleeper: rb, WriterBell: p.wb})
		f := next(t, r)
		number, size := f.Number(), len(f.Payload())
		p.w.Evict(got.Slot)
		for range 50 {
			good := stamped(f.Payload(), number) && size == int(number*7)%400
			if !f.Valid() {
				torn.Add(1)
				break
			}
			if !good {
				t.Fatalf("frame %d is torn but valid", number)
			}
			whole.Add(1)
		}
		p.w.Detach(got.Slot)
	}
	stop()
	t.Logf("%d views invalid, %d looks valid", torn.Load(), whole.Load())
}
