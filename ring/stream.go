package ring

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// Announcements is the control plane of a reader in stream mode.
type Announcements interface {
	// Await blocks until something beyond position is published and returns up to
	// where. At the end of the ring, when position is final, it returns io.EOF.
	Await(ctx context.Context, position uint64) (uint64, error)
	// Released says that the reader is done with all before position. It never
	// blocks; merged or late calls lose nothing, positions being cumulative.
	Released(position uint64)
}

// StreamReader is a lossless reader that is told of frames and stores to no shared
// memory: the received announcement orders its reads after the writer's stores. It
// is for one goroutine at a time.
type StreamReader struct {
	seg   *Segment
	pos   uint64
	known uint64 // all before it is published
	next  uint64 // end of what is leased
	held  bool
	frame Frame
	batch ReadBatch
	from  Announcements
	err   error
}

// NewStreamReader returns a reader that starts at position. If no frame can start
// there, Next returns ErrNoPosition.
func NewStreamReader(seg *Segment, position uint64, from Announcements) *StreamReader {
	r := &StreamReader{seg: seg, pos: position, known: position, from: from}
	if position%proto.LineBytes != 0 {
		r.err = fmt.Errorf("position %d is not a multiple of %d: %w", position, proto.LineBytes, ErrNoPosition)
	}
	return r
}

// Position is the reader's cursor: all before it is released.
func (r *StreamReader) Position() uint64 { return r.pos }

// Ready reports whether something is announced beyond the frame leased, if any.
func (r *StreamReader) Ready() bool {
	at := r.pos
	if r.held {
		at = r.next
	}
	return at != r.known || r.err != nil
}

// Next is Reader.Next.
func (r *StreamReader) Next(ctx context.Context) (*Frame, error) {
	if err := r.Release(); err != nil {
		return nil, err
	}
	for {
		if r.pos == r.known {
			known, err := r.from.Await(ctx, r.pos)
			if err != nil {
				return nil, err
			}
			if int64(known-r.pos) < 0 || known-r.pos > r.seg.capacity {
				return nil, r.fail(fmt.Errorf("announced position %d, the reader is at %d: %w", known, r.pos, ErrCorrupt))
			}
			r.known = known
			continue
		}
		deliver, err := r.step()
		if err != nil {
			return nil, r.fail(err)
		}
		if deliver {
			r.held = true
			return &r.frame, nil
		}
		r.advance()
	}
}

// step makes the published frame at the reader's position its frame and reports
// whether it is for the caller.
func (r *StreamReader) step() (bool, error) {
	word := atomic.LoadUint64(r.seg.commitWord(r.pos))
	kind := proto.Kind(word & proto.KindMask)
	if word&^proto.KindMask != r.pos || kind == 0 {
		return false, unexpected(r.pos, word)
	}
	if err := r.frame.set(r.seg, r.pos, kind); err != nil {
		return false, err
	}
	r.next = r.frame.end
	if int64(r.known-r.frame.end) < 0 {
		return false, fmt.Errorf("frame at position %d ends at %d, announced were %d: %w", r.pos, r.frame.end, r.known, ErrCorrupt)
	}
	return r.frame.delivered()
}

func (r *StreamReader) advance() {
	r.pos = r.next
	r.from.Released(r.pos)
}

func (r *StreamReader) fail(err error) error {
	if !r.seg.intact(r.pos) {
		err = fmt.Errorf("at position %d: %w", r.pos, ErrEvicted)
	}
	r.err = err
	return err
}

// Release is Reader.Release.
func (r *StreamReader) Release() error {
	if r.err != nil || !r.held {
		return r.err
	}
	r.held = false
	if !r.seg.intact(r.pos) {
		return r.fail(ErrEvicted)
	}
	r.advance()
	return nil
}

// Frames is Reader.Frames.
func (r *StreamReader) Frames(ctx context.Context) iter.Seq2[*Frame, error] {
	return frames(ctx, r)
}
