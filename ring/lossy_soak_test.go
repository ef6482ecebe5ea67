//go:build !race

package ring_test

import (
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// mark64 is what element i of frame number holds.
func mark64(number uint64, i int) uint64 { return number*0x9e3779b97f4a7c15 + uint64(i) }

// fill64 and holds64 write and check a payload of 64-bit words, which are read as they
// lie, torn or not.
func fill64(b []byte, number uint64) {
	for i := range len(b) / 8 {
		le.PutUint64(b[8*i:], mark64(number, i))
	}
}

func holds64(b []byte, number uint64) bool {
	for i := range len(b) / 8 {
		if le.Uint64(b[8*i:]) != mark64(number, i) {
			return false
		}
	}
	return true
}

// words64 is the number of 64-bit words of frame number: 5, and sometimes many.
func words64(number uint64) int {
	if number%4096 == 0 {
		return smallBytes / 4 / 8
	}
	return 5
}

// writeLossy commits frames in batches as fast as it can and ends the ring.
func writeLossy(t *testing.T, w *ring.Writer, frames uint64) {
	for number := uint64(0); number < frames; {
		run := 1
		if number%4096 != 0 {
			run = int(min(256, 4096-number%4096, frames-number))
		}
		b, err := w.ClaimBatch(context.Background(), proto.U64, words64(number), run)
		if err != nil {
			t.Error(err)
			break
		}
		for i := range b.Len() {
			fill64(b.Payload(i), number)
			number++
		}
		b.Commit()
	}
	w.Finish()
}

// Check that an observer of a writer that never waits, and laps it all the time, gives
// out no torn frame, and that what it saw and what it was told it lost are all there
// was. Long form: the number of frames in NDRING_LOSSY_FRAMES.
func TestLossyObserverIsNeverTorn(t *testing.T) {
	frames := soak(t, "NDRING_LOSSY_FRAMES", 3e6)
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true})
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{
		Start: proto.StartOldest, Wait: func(ctx context.Context, _ uint64) error { runtime.Gosched(); return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	go writeLossy(t, p.w, frames)
	seen, accounted := uint64(0), uint64(0)
	for {
		f, err := o.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		accounted += f.Lost()
		if n := f.Number(); n != accounted || len(f.Payload()) != 8*words64(n) || !holds64(f.Payload(), n) {
			t.Fatalf("frame %d of %d bytes after %d lost, want %d", n, len(f.Payload()), f.Lost(), accounted)
		}
		accounted++
		seen++
	}
	if seen+o.Lost() != frames {
		t.Fatalf("%d seen, %d lost, %d written", seen, o.Lost(), frames)
	}
	t.Logf("%d frames: %d seen, %d lost in %d laps, none torn, in %v", frames, seen, o.Lost(), o.Laps(), time.Since(begin).Round(time.Millisecond))
}
