package ring_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that an observer that was lapped goes on at a frame still there, and that
// what it read and what it was told it missed add up to what was written.
func TestObserverCountsWhatItMissed(t *testing.T) {
	for _, start := range []uint64{0, 1<<64 - 3*smallBytes} {
		id := proto.NewIdentity("x", smallBytes)
		id.Start = start
		p := newRing(t, id, ring.WriterConfig{FreeRun: true, Sleeper: awake{}})
		o := p.observer(t)
		written, accounted := uint64(0), uint64(0)
		for round := range 60 {
			for range (round * 131) % 2500 {
				p.put(t, int(written*31)%300, written)
				written++
			}
			for {
				f, err := o.Next(context.Background())
				if err != nil {
					wantErr(t, err, errAsleep)
					break
				}
				accounted += f.Lost()
				if f.Number() != accounted || !stamped(f.Payload(), f.Number()) {
					t.Fatalf("frame %d after %d lost, want %d", f.Number(), f.Lost(), accounted)
				}
				accounted++
			}
			if accounted != written {
				t.Fatalf("round %d: %d accounted for, %d written", round, accounted, written)
			}
		}
		if o.Laps() < 20 {
			t.Fatalf("only %d laps", o.Laps())
		}
	}
}

// Check that an observer overtaken for the last time just before the end counts what
// it missed there too.
func TestObserverCountsToTheEnd(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Sleeper: awake{}})
	o := p.observer(t)
	p.put(t, 40, 0)
	take(t, o, 40, 0)
	for i := range uint64(5000) {
		p.put(t, 40, 1+i)
	}
	p.w.Finish()
	seen := uint64(1)
	for {
		if _, err := o.Next(context.Background()); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if seen+o.Lost() != 5001 || o.Lost() == 0 || seen < smallBytes/64/4 {
		t.Fatalf("%d seen, %d lost, 5001 written", seen, o.Lost())
	}
}

// Check that an observer of a ring whose writer is gone sees what was committed, from
// where it asked to start.
func TestObserverOfDeadRing(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Sleeper: awake{}})
	for i := range uint64(3000) {
		p.put(t, 40, i)
	}
	_ = mustFit(t, p.w, 16000)
	tail := p.seg.Tail()
	for start, want := range map[proto.Start]uint64{proto.StartLatest: 0, proto.StartOldest: (tail - p.seg.Oldest()) / 64} {
		o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: start, Wait: asleep})
		if err != nil {
			t.Fatal(err)
		}
		n := uint64(0)
		for ; ; n++ {
			if _, err = o.Next(context.Background()); err != nil {
				break
			}
		}
		wantErr(t, err, errAsleep)
		if n != want || start == proto.StartOldest && n < 600 {
			t.Fatalf("start %d: %d frames, want %d", start, n, want)
		}
	}
	_, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartPosition, Position: tail - 8})
	wantErr(t, err, ring.ErrNoPosition)
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartPosition, Position: tail - 64, Wait: asleep})
	if err != nil {
		t.Fatal(err)
	}
	take(t, o, 40, 2999)
}

// Check that an observer changes no byte of the segment.
func TestObserverStoresNothing(t *testing.T) {
	p := newStill(t, nil)
	for i := range uint64(100) {
		p.put(t, 400, i)
	}
	before := string(p.mem)
	n := 0
	for _, err := range p.observer(t).Frames(context.Background()) {
		if err != nil {
			wantErr(t, err, errAsleep)
			break
		}
		n++
	}
	if n != 100 || before != string(p.mem) {
		t.Fatalf("%d frames, changed %v", n, before != string(p.mem))
	}
}

// Check that an iteration releases each frame, ends at the end of the ring, ends with
// an error otherwise, and that breaking out of it releases the frame in hand.
func TestFrames(t *testing.T) {
	p := newStill(t, nil)
	for i := range uint64(10) {
		p.put(t, 40, i)
	}
	n := uint64(0)
	for f, err := range p.r.Frames(context.Background()) {
		if err != nil || f.Number() != n {
			t.Fatalf("frame %d: %v", n, err)
		}
		if n++; n == 4 {
			break
		}
	}
	if p.r.Position() != 4*64 {
		t.Fatalf("cursor %d after a break in frame 3", p.r.Position())
	}
	var last error
	for _, err := range p.r.Frames(context.Background()) {
		last = err
		n++
	}
	if n != 11 || !errors.Is(last, errAsleep) {
		t.Fatalf("%d rounds, error %v", n, last)
	}
	p.w.Finish()
	for _, err := range p.r.Frames(context.Background()) {
		t.Fatalf("after the end: %v", err)
	}
}
