package stage

import (
	"context"
	"errors"
	"fmt"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// streamEnd drops the stream's state and passes the end on, behind everything that
// was sent before it.
func (in *input) streamEnd(ctx context.Context, f *ring.Frame) error {
	in.head = f.Header()
	id := uint64(0)
	if in.head.ExtFlags&proto.ExtStream != 0 {
		id = in.head.Stream
	}
	if err := in.passEnd(ctx, f, id, in.head.Sequence); err != nil {
		return err
	}
	in.streams.drop(id)
	in.count.streams.Store(uint64(len(in.streams.byID)))
	add(&in.count.ended)
	return nil
}

// passEnd commits the end of a stream, caused by frame f, whose header is in.head.
func (in *input) passEnd(ctx context.Context, f *ring.Frame, id uint64, sequence uint32) error {
	in.heads[0] = proto.Header{
		Kind: proto.KindStreamEnd, DType: proto.U8, NDim: 1,
		ExtFlags: in.head.ExtFlags&proto.ExtTime | proto.ExtStream | proto.ExtSource,
		Stream:   id, Sequence: sequence, TimeNs: in.head.TimeNs,
		Source: f.Position(), SourceID: in.ringID,
	}
	if in.locksClaim {
		in.stage.mu.Lock()
		defer in.stage.mu.Unlock()
	}
	g, err := in.stage.out.ClaimGroup(ctx, in.heads[:1])
	if errors.Is(err, ring.ErrDropped) {
		add(&in.count.dropped)
		return nil
	}
	if err != nil {
		return fmt.Errorf("end of stream %#x of ring %q: %w", id, in.name, err)
	}
	g.Commit()
	return nil
}

// lost ends a stream whose last result is not known any more after a restart, so
// that nobody receives a wrong DELTA. What still comes of it is dropped.
func (in *input) lost(ctx context.Context, f *ring.Frame, st *stream, sequence uint32) error {
	if st.ended {
		return nil
	}
	in.stage.cfg.Logger.Warn("stream ended: its last result is not in the output ring any more",
		"ring", in.name, "stream", st.id, "sequence", sequence)
	add(&in.count.evicted)
	st.ended = true
	return in.passEnd(ctx, f, st.id, sequence)
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
		in.streams.drop(st.id)
		if st.ended {
			continue
		}
		add(&in.count.evicted)
		cfg.Logger.Warn("stream ended to bound memory", "ring", in.name, "stream", st.id,
			"sequence", st.sequence, "max_streams", cfg.MaxStreams, "max_state_bytes", cfg.MaxStateBytes)
		if err := in.passEnd(ctx, f, st.id, st.sequence); err != nil {
			return err
		}
	}
}
