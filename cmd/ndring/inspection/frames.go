package inspection

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/npy"
	"github.com/ndring/ndring/ring"
)

// look reads the frames that the walk found last. Those that were overtaken since
// are left out.
func look(ctx context.Context, seg *ring.Segment, w *walked, last, values int) []Frame {
	frames := []Frame{}
	starts := w.recent(last)
	for len(starts) > 0 {
		r := ring.NewStreamReader(seg, starts[0].position, announced(w.tail))
		f, err := r.Next(ctx)
		for ; err == nil; f, err = r.Next(ctx) {
			frames = append(frames, describeFrame(f, values))
			starts = starts[1:]
		}
		if err == io.EOF {
			break
		}
		if len(starts) > 0 {
			starts = starts[1:]
		}
	}
	return frames
}

func describeFrame(f *ring.Frame, values int) Frame {
	h := f.Header()
	d := Frame{Header: render.Describe(&h, f.Position()), Values: []any{}}
	if h.Kind != proto.KindData {
		return d
	}
	a, err := f.Array()
	if err != nil {
		d.Remark = err.Error()
		return d
	}
	if d.Values, err = render.First(a, values); err != nil {
		d.Remark = err.Error()
		return d
	}
	d.Preview = preview(d.Values, a.Len())
	d.Statistics, d.Remark = statistics(a)
	if !f.Valid() {
		d.Values, d.Statistics, d.Preview, d.Remark = []any{}, nil, "", "overwritten while it was looked at"
	}
	return d
}

// preview is the first values of a frame, short enough for a line.
func preview(values []any, of int) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch v := v.(type) {
		case float64, float32:
			fmt.Fprintf(&b, "%.6g", v)
		default:
			fmt.Fprint(&b, v)
		}
	}
	if of > len(values) {
		b.WriteString(" …")
	}
	return "[" + b.String() + "]"
}

// Export writes frame number of a ring as .npy.
func Export(ctx context.Context, seg *ring.Segment, number uint64, out io.Writer) error {
	o, err := ring.NewObserver(seg, ring.ObserverConfig{
		Start: proto.StartOldest,
		Wait:  func(context.Context, uint64) error { return io.EOF },
	})
	if err != nil {
		return err
	}
	for {
		f, err := o.Next(ctx)
		if err == io.EOF {
			return fmt.Errorf("frame %d is not in the ring any more, or not yet: %w", number, ring.ErrNoPosition)
		}
		if err != nil {
			return err
		}
		if f.Number() != number {
			continue
		}
		a, err := f.Array()
		if err != nil {
			return err
		}
		if a.Len() > mostElements && a.Bytes() > len(f.Payload()) {
			return fmt.Errorf("frame %d: %d elements in %d bytes: %w", number, a.Len(), len(f.Payload()), render.ErrTooLarge)
		}
		return npy.Write(out, a)
	}
}
