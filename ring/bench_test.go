package ring_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// BenchmarkHandOver moves frames from one goroutine to another over a heap ring.
func BenchmarkHandOver(b *testing.B) {
	for _, n := range []int{5, 128, 8192} {
		b.Run(fmt.Sprintf("dtype=f64/n=%d", n), func(b *testing.B) {
			p := newPair(b, 1<<20, time.Millisecond)
			done := make(chan error, 1)
			go func() {
				ctx := context.Background()
				for {
					f, err := p.r.Next(ctx)
					if err != nil {
						done <- err
						return
					}
					if x := f.Float64s(); len(x) != n {
						done <- fmt.Errorf("%d values", len(x))
						return
					}
				}
			}()
			ctx := context.Background()
			b.SetBytes(int64(8 * n))
			b.ReportAllocs()
			for b.Loop() {
				c, err := p.w.Claim(ctx, proto.F64, n)
				if err != nil {
					b.Fatal(err)
				}
				c.Float64s()[0] = 1
				c.Commit()
			}
			p.w.Finish()
			if err := <-done; err != io.EOF {
				b.Fatal(err)
			}
		})
	}
}

var _ = ring.ErrCorrupt
