package feed

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// raw feeds little-endian elements from a reader, frame after frame.
type raw struct {
	from   *bufio.Reader
	source provenance.Source
	dtype  proto.DType
	bytes  int64 // of a frame
	frames uint64
	cut    int64 // bytes of a frame whose rest did not come
}

func newRaw(ctx context.Context, o Options) (Feed, error) {
	n, err := count(o.DType, o.Shape)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("shape %v holds no elements, stdin would never end: %w", o.Shape, proto.ErrShape)
	}
	return &raw{
		from:   bufio.NewReaderSize(interruptible(ctx, o.Stdin), 1<<16),
		source: provenance.Source{Kind: provenance.KindStdin, DType: o.DType.String(), Shape: o.Shape},
		dtype:  o.DType,
		bytes:  int64(n * o.DType.Size()),
	}, nil
}

func (r *raw) DType() proto.DType        { return r.dtype }
func (r *raw) Shape() []int              { return r.source.Shape }
func (r *raw) Source() provenance.Source { return r.source }

func (r *raw) Fill(dst nd.Array, _ uint64) error {
	payload, err := dst.Contents()
	if err != nil {
		return err
	}
	got, err := io.ReadFull(r.from, payload)
	return r.read(int64(got), err)
}

// Drop discards one frame of input.
func (r *raw) Drop() error {
	got, err := io.CopyN(io.Discard, r.from, r.bytes)
	if err == io.EOF && got > 0 {
		err = io.ErrUnexpectedEOF
	}
	return r.read(got, err)
}

// Pending is what was read of a frame that is not complete, and read ahead.
func (r *raw) Pending() int { return int(r.cut) + r.from.Buffered() }

func (r *raw) read(got int64, err error) error {
	if err != nil {
		r.cut = got
	}
	if err == io.ErrUnexpectedEOF {
		return fmt.Errorf("stdin: frame %d has %d of %d bytes: %w", r.frames, got, r.bytes, ErrPartial)
	}
	r.frames++
	return err
}
