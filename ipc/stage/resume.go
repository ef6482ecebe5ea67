package stage

import (
	"context"
	"errors"
	"fmt"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// errEndOfRing ends a walk over what is committed.
var errEndOfRing = errors.New("end of what is committed")

// Resume takes up the work of an earlier life of this stage from what that life
// committed to out, the ring that Run will write. It is called before Run and
// before anything else is written to out.
//
// Every result names the position of its source, so the last source found for
// an input is the last frame answered: Run skips all frames up to it. The last
// PRIMARY of each stream is the state DELTA needs. A stream whose last PRIMARY has
// been overwritten since is ended when its next frame comes, because its DELTA
// would be wrong.
//
// The error wraps ring.ErrCorrupt.
func (s *Stage) Resume(ctx context.Context, out *ring.Segment) error {
	o, err := ring.NewObserver(out, ring.ObserverConfig{
		Start: proto.StartOldest,
		Wait:  func(context.Context, uint64) error { return errEndOfRing },
	})
	if err != nil {
		return fmt.Errorf("resume from ring %q: %w", out.Identity().Name, err)
	}
	for f, err := range o.Frames(ctx) {
		if errors.Is(err, errEndOfRing) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("resume from ring %q: %w", out.Identity().Name, err)
		}
		s.recall(f)
	}
	return nil
}

// recall learns from one committed result.
func (s *Stage) recall(f *ring.Frame) {
	h := f.Header()
	for _, in := range s.inputs {
		if h.ExtFlags&proto.ExtSource != 0 && h.SourceID == in.ringID {
			in.recall(f, &h)
			return
		}
	}
}

func (in *input) recall(f *ring.Frame, h *proto.Header) {
	in.answered, in.resumed = h.Source, true // results stand in the order of their sources
	switch {
	case f.Kind() == proto.KindStreamEnd:
		in.streams.drop(h.Stream)
	case f.Kind() == proto.KindData && h.Role == proto.RolePrimary && !in.stage.cfg.NoDelta:
		y := f.Float64s()
		if y == nil {
			return
		}
		st := in.streams.use(h.Stream)
		st.sequence = h.Sequence
		in.streams.keep(st, h, y)
	}
}
