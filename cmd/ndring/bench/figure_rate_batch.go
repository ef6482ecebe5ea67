package bench

import (
	"context"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// batchFrames is how many small frames one claim and one lease take.
const batchFrames = 64

// writeBatches is write with a claim for Batch frames.
func (p *rateParams) writeBatches(w *ipc.Writer, first, count int) error {
	ctx, n := context.Background(), p.PayloadBytes/8
	for i := first; i < first+count; {
		b, err := w.ClaimBatch(ctx, proto.F64, n, min(p.Batch, first+count-i))
		if err != nil {
			return err
		}
		for j := range b.Len() {
			if p.Touch {
				fillFrame(b.Float64s(j), frameValue(i+j))
			}
		}
		b.Commit()
		i += b.Len()
	}
	return nil
}

// readBatches is read with a lease for up to Batch frames.
func (p *rateParams) readBatches(r *ipc.Reader, first, count int) error {
	ctx, n, total := context.Background(), p.PayloadBytes/8, 0.0
	for i := first; i < first+count; {
		b, err := r.NextBatch(ctx, min(p.Batch, first+count-i))
		if err != nil {
			return err
		}
		if b.Number(0) != uint64(i) {
			return fmt.Errorf("frame %d came as %d: %w", i, b.Number(0), ErrMismatch)
		}
		for j := range b.Len() {
			if p.Touch {
				total += sumFrame(b.Float64s(j))
			}
		}
		i += b.Len()
	}
	if err := r.Release(); err != nil {
		return err
	}
	return p.check(total, first, count, n)
}
