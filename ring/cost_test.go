package ring_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// BenchmarkWriter is the writer alone: no reader, no cache misses.
func BenchmarkWriter(b *testing.B) {
	p := newRing(b, proto.NewIdentity("x", 1<<20), ring.WriterConfig{FreeRun: true, Asymmetric: true})
	ctx := context.Background()
	for b.Loop() {
		c, _ := p.w.Claim(ctx, proto.F64, 5)
		x := c.Float64s()
		x[0], x[1], x[2], x[3], x[4] = 1, 2, 3, 4, 5
		c.Commit()
	}
}

// BenchmarkReader is the reader alone, over a ring filled before.
func BenchmarkReader(b *testing.B) {
	p := newPair(b, 16<<20, 0)
	ctx := context.Background()
	left := 0
	sum := 0.0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			for left = 0; left < 200000; left++ {
				c, _ := p.w.Claim(ctx, proto.F64, 5)
				c.Commit()
			}
			b.StartTimer()
		}
		f, _ := p.r.Next(ctx)
		sum += f.Float64s()[4]
		_ = p.r.Release()
		left--
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
	p := newPair(b, 16<<20, 0)
	ctx := context.Background()
	left := 0
	sum := 0.0
	for i := 0; i < b.N; {
		if left == 0 {
			b.StopTimer()
			for left = 0; left < 200000; left++ {
				c, _ := p.w.Claim(ctx, proto.F64, 5)
				c.Commit()
			}
			b.StartTimer()
		}
		f, _ := p.r.NextBatch(ctx, min(64, left))
		for j := range f.Len() {
			sum += f.Float64s(j)[4]
		}
		_ = p.r.Release()
		left -= f.Len()
		i += f.Len()
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
