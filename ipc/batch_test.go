//go:build linux

package ipc

import (
	"context"
	"io"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Check that batches over a real ring, in both wake modes, hand every frame over
// once and in order.
func TestBatches(t *testing.T) {
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		dir := testDir(t)
		w, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, Wake: wake})
		if err != nil {
			t.Fatal(err)
		}
		const frames = 20000
		written := make(chan error, 1)
		go func() { written <- writeNumbered(w, frames) }()
		next := 0
		for {
			b, err := r.NextBatch(t.Context(), 16)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len() {
				if got := b.Float64s(i)[0]; got != float64(next) || b.Number(i) != uint64(next) {
					t.Fatalf("frame %d: number %d, value %v", next, b.Number(i), got)
				}
				next++
			}
		}
		if err := <-written; err != nil || next != frames {
			t.Fatalf("read %d frames, writer: %v", next, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeNumbered(w *Writer, frames int) error {
	ctx := context.Background()
	for n := 0; n < frames; {
		b, err := w.ClaimBatch(ctx, proto.F64, 5, min(64, frames-n))
		if err != nil {
			return err
		}
		for i := range b.Len() {
			b.Float64s(i)[0] = float64(n + i)
		}
		b.Commit()
		n += b.Len()
	}
	return w.Close(ctx)
}
