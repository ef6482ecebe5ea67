package stage

import (
	"context"
	"errors"
	"fmt"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// ending is the end of a stream as it goes to the output ring.
type ending struct {
	id       uint64
	sequence uint32
	source   uint64 // position of the frame that is answered with it
	timed    bool
	timeNs   uint64
	sticks   bool // frames of the stream that still come are dropped
}

// because is the end of a stream that the frame whose header is in.head calls for.
func (in *input) because(f *ring.Frame, id uint64, sequence uint32) ending {
	return ending{
		id: id, sequence: sequence, source: f.Position(),
		timed: in.head.ExtFlags&proto.ExtTime != 0, timeNs: in.head.TimeNs,
	}
}

// streamEnd drops the stream's state and passes the end on, behind everything that
// was sent before it.
func (in *input) streamEnd(ctx context.Context, f *ring.Frame) error {
	in.head = f.Header()
	id := uint64(0)
	if in.head.ExtFlags&proto.ExtStream != 0 {
		id = in.head.Stream
	}
	if err := in.end(ctx, in.because(f, id, in.head.Sequence)); err != nil {
		return err
	}
	in.count.streams.Store(uint64(len(in.streams.byID)))
	add(&in.count.ended)
	return nil
}

// end commits the end of a stream, and then forgets the stream.
func (in *input) end(ctx context.Context, e ending) error {
	in.heads[0] = proto.Header{
		Kind: proto.KindStreamEnd, DType: proto.U8, NDim: 1,
		ExtFlags: proto.ExtStream | proto.ExtSource,
		Stream:   e.id, Sequence: e.sequence, Source: e.source, SourceID: in.ringID,
	}
	if e.timed {
		in.heads[0].ExtFlags |= proto.ExtTime
		in.heads[0].TimeNs = e.timeNs
	}
	if in.locksClaim {
		in.stage.mu.Lock()
		defer in.stage.mu.Unlock()
	}
	at := in.stage.ledger.end()
	g, err := in.stage.claim(ctx, in.heads[:1])
	switch {
	case errors.Is(err, ring.ErrDropped):
		add(&in.count.dropped)
	case err != nil:
		return fmt.Errorf("end of stream %#x of ring %q: %w", e.id, in.name, err)
	default:
		g.Commit()
		in.committed(g, e.source)
		at = g.Position()
	}
	in.ended(e, at)
	return nil
}

// ended does to the state of a stream what its end at that position means.
func (in *input) ended(e ending, position uint64) {
	st := in.streams.byID[e.id]
	switch {
	case st == nil:
	case e.sticks:
		st.sequence, st.source, st.ended = e.sequence, e.source, true
		in.stage.ledger.note(st, position)
	default:
		in.streams.drop(st)
		in.stage.ledger.forget(st, position)
	}
}

// lost ends a stream whose last result is not known any more after a restart, so
// that nobody receives a wrong DELTA. What still comes of it is dropped.
func (in *input) lost(ctx context.Context, f *ring.Frame, st *stream, sequence uint32) error {
	in.stage.cfg.Logger.Warn("stream ended: its last result is neither in the output ring nor in the journal",
		"ring", in.name, "stream", st.id, "sequence", sequence)
	add(&in.count.evicted)
	e := in.because(f, st.id, sequence)
	e.sticks = true
	return in.end(ctx, e)
}

// makeRoom ends the streams that were silent longest while there are too many.
func (in *input) makeRoom(ctx context.Context, f *ring.Frame) error {
	cfg := &in.stage.cfg
	for {
		st := in.streams.surplus(cfg.MaxStreams, cfg.MaxStateBytes)
		if st == nil {
			in.count.streams.Store(uint64(len(in.streams.byID)))
			return nil
		}
		if st.ended {
			in.dropEnded(st)
			continue
		}
		add(&in.count.evicted)
		cfg.Logger.Warn("stream ended to bound memory", "ring", in.name, "stream", st.id,
			"sequence", st.sequence, "max_streams", cfg.MaxStreams, "max_state_bytes", cfg.MaxStateBytes)
		if err := in.end(ctx, in.because(f, st.id, st.sequence)); err != nil {
			return err
		}
	}
}

// dropEnded forgets a stream whose end is in the output ring already.
func (in *input) dropEnded(st *stream) {
	if in.locksClaim {
		in.stage.mu.Lock()
		defer in.stage.mu.Unlock()
	}
	in.streams.drop(st)
	in.stage.ledger.forget(st, in.stage.ledger.end())
}
