package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// beat is how often the writer commits a frame.
const beat = time.Millisecond

// quantiles is what a phase tells of a latency, in nanoseconds.
type quantiles struct {
	Count         int64
	P50, P99, Max int64
}

func quantilesOf(h *hdrhistogram.Histogram) quantiles {
	return quantiles{h.TotalCount(), h.ValueAtQuantile(50), h.ValueAtQuantile(99), h.Max()}
}

// pairRing is the writer's ring.
const pairRing = "pair"

// serveWriter writes the ring until its orders end. Each line of the orders ends a
// phase: it answers with the quantiles since the one before.
func serveWriter(ctx context.Context, orders io.Reader, answers io.Writer) error {
	w, err := ipc.Listen(ctx, pairRing, ipc.WriterConfig{})
	if err != nil {
		return err
	}
	defer w.Close(ctx) // interrupted, it waits for nobody
	lines := make(chan struct{})
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(orders); s.Scan(); {
			lines <- struct{}{}
		}
	}()
	latency := hdrhistogram.New(1, int64(time.Minute), 3)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case _, more := <-lines:
			if !more {
				return nil
			}
			if err := json.NewEncoder(answers).Encode(quantilesOf(latency)); err != nil {
				return err
			}
			latency.Reset()
		case <-tick.C:
			if err := commit(ctx, w, latency, n); err != nil {
				return err
			}
		}
	}
}

// commit writes one frame and records what claim and commit took.
func commit(ctx context.Context, w *ipc.Writer, latency *hdrhistogram.Histogram, n int) error {
	begin := time.Now()
	c, err := w.Claim(ctx, proto.F64, values)
	if err != nil {
		return fmt.Errorf("frame %d: %w", n, err)
	}
	c.Float64s()[0] = float64(n)
	c.Commit()
	return latency.RecordValue(int64(time.Since(begin)))
}
