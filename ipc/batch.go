//go:build linux

package ipc

import (
	"context"
	"runtime/debug"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// ClaimBatch reserves room for up to count frames of items elements each, to be
// committed at once: the way to send small frames fast. See ring.Writer.ClaimBatch.
func (w *Writer) ClaimBatch(ctx context.Context, dt proto.DType, items, count int) (*ring.WriteBatch, error) {
	if w.over {
		return nil, w.errClosed()
	}
	return w.ring.ClaimBatch(ctx, dt, items, count)
}

// NextBatch is Next for a run of up to most frames alike that are committed
// already, under one lease, which Release gives back. See ring.Reader.NextBatch.
func (r *Reader) NextBatch(ctx context.Context, most int) (b *ring.ReadBatch, err error) {
	done := false
	defer r.leave(&done, debug.SetPanicOnFault(true), &err)
	b, err = r.nextBatch(ctx, most)
	done = true
	return b, err
}

func (r *Reader) nextBatch(ctx context.Context, most int) (*ring.ReadBatch, error) {
	for err := error(nil); ; {
		if err = r.mend(ctx, err); err != nil {
			return nil, err
		}
		var b *ring.ReadBatch
		if b, err = r.source().NextBatch(ctx, most); err == nil {
			return b, nil
		}
	}
}

// Frame is the frame that Next returned last, or the first of the last batch.
func (r *Reader) Frame() *ring.Frame { return r.source().Frame() }
