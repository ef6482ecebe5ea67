package ring_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// BenchmarkWriter is the writer alone: no reader, no cache misses. Whoever parks fences
// for it, or it fences after each commit.
func BenchmarkWriter(b *testing.B) {
	for _, c := range []struct {
		name       string
		asymmetric bool
	}{{"fence=no", true}, {"fence=yes", false}} {
		b.Run(c.name, func(b *testing.B) {
			p := newRing(b, proto.NewIdentity("x", 1<<20), ring.WriterConfig{FreeRun: true, Asymmetric: c.asymmetric})
			ctx := context.Background()
			for b.Loop() {
				c, _ := p.w.Claim(ctx, proto.F64, 5)
				x := c.Float64s()
				x[0], x[1], x[2], x[3], x[4] = 1, 2, 3, 4, 5
				c.Commit()
			}
		})
	}
}

// hasty is a pair whose sides fence no more than those of package ipc do.
func hasty(b *testing.B) *pair {
	p := newRing(b, proto.NewIdentity("x", 1<<20), ring.WriterConfig{Asymmetric: true})
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Barrier: true, Asymmetric: true})
	if err != nil {
		b.Fatal(err)
	}
	p.r = p.reader(b, got, ring.ReaderConfig{Asymmetric: true})
	return p
}

// fill commits count frames while the clock of b stands still.
func (p *pair) fill(b *testing.B, count int) int {
	b.StopTimer()
	defer b.StartTimer()
	for range count {
		c, err := p.w.Claim(context.Background(), proto.F64, 5)
		if err != nil {
			b.Fatal(err)
		}
		c.Commit()
	}
	return count
}

// someFrames fit into the ring of hasty.
const someFrames = 15000

// BenchmarkReader is the reader alone, over a ring filled before.
func BenchmarkReader(b *testing.B) {
	p := hasty(b)
	ctx := context.Background()
	left, sum := 0, 0.0
	for range b.N {
		if left == 0 {
			left = p.fill(b, someFrames)
		}
		f, _ := p.r.Next(ctx)
		x := f.Float64s()
		sum += x[0] + x[1] + x[2] + x[3] + x[4]
		if left--; left == 0 {
			_ = p.r.Release()
		}
	}
}

// BenchmarkWriterBatch and BenchmarkReaderBatch are the same with batches of 64.
func BenchmarkWriterBatch(b *testing.B) {
	p := newRing(b, proto.NewIdentity("x", 1<<20), ring.WriterConfig{FreeRun: true, Asymmetric: true})
	ctx := context.Background()
	for i := 0; i < b.N; {
		batch, _ := p.w.ClaimBatch(ctx, proto.F64, 5, 64)
		for j := range batch.Len() {
			x := batch.Float64s(j)
			x[0], x[1], x[2], x[3], x[4] = 1, 2, 3, 4, 5
		}
		batch.Commit()
		i += batch.Len()
	}
}

func BenchmarkReaderBatch(b *testing.B) {
	p := hasty(b)
	ctx := context.Background()
	left, sum := 0, 0.0
	for i := 0; i < b.N; {
		if left == 0 {
			left = p.fill(b, someFrames)
		}
		f, _ := p.r.NextBatch(ctx, min(64, left))
		for j := range f.Len() {
			x := f.Float64s(j)
			sum += x[0] + x[1] + x[2] + x[3] + x[4]
		}
		left -= f.Len()
		i += f.Len()
		if left == 0 {
			_ = p.r.Release()
		}
	}
}

// BenchmarkBatches hands small frames from one goroutine to another in batches.
func BenchmarkBatches(b *testing.B) {
	p := newPair(b, 1<<20, time.Millisecond)
	ctx := context.Background()
	done := make(chan error, 1)
	go func() {
		sum := 0.0
		for {
			f, err := p.r.NextBatch(ctx, 64)
			if err != nil {
				done <- err
				return
			}
			for j := range f.Len() {
				x := f.Float64s(j)
				sum += x[0] + x[1] + x[2] + x[3] + x[4]
			}
		}
	}()
	for i := 0; i < b.N; {
		batch, err := p.w.ClaimBatch(ctx, proto.F64, 5, 64)
		if err != nil {
			b.Fatal(err)
		}
		for j := range batch.Len() {
			x := batch.Float64s(j)
			x[0], x[1], x[2], x[3], x[4] = 1, 2, 3, 4, 5
		}
		batch.Commit()
		i += batch.Len()
	}
	p.w.Finish()
	if err := <-done; err != io.EOF {
		b.Fatal(err)
	}
}
