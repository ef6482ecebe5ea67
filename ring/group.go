package ring

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// Group is space for several frames that become visible together or not at all.
// It belongs to its Writer, is valid until Commit or Abort, and is reused by the
// next group.
type Group struct {
	w       *Writer
	at      uint64
	size    uint64
	members []member
}

type member struct {
	head    proto.Header
	at      uint64
	payload []byte
}

// ClaimGroup claims one frame for each header, described as for ClaimFrame, one
// after the other without a wrap between them. All frames but the last carry
// proto.FlagMore. Together they may take half the capacity. Errors as for Claim.
func (w *Writer) ClaimGroup(ctx context.Context, heads []proto.Header) (*Group, error) {
	if w.open != openNone {
		return nil, fmt.Errorf("claim: %w", w.claimOpen())
	}
	g := &w.group
	if err := g.describe(heads); err != nil {
		return nil, fmt.Errorf("claim group: %w", err)
	}
	at, err := w.reserve(ctx, g.size)
	if errors.Is(err, ErrDropped) {
		w.guarded(func() error { // reserve counted one
			w.countDropped(uint64(len(heads) - 1))
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	g.at = at
	for i := range g.members {
		m := &g.members[i]
		m.at = at
		m.payload = w.seg.data.slice(at&w.seg.mask+m.head.HeadBytes(), m.head.PayloadLen)
		at += m.head.FrameBytes()
	}
	w.open = openGroup
	return g, nil
}

func (g *Group) describe(heads []proto.Header) error {
	if len(heads) == 0 {
		return fmt.Errorf("no frames: %w", proto.ErrShape)
	}
	g.members, g.size = g.members[:0], 0
	for i := range heads {
		g.members = append(g.members, member{head: heads[i]})
		m := &g.members[i]
		if err := g.w.complete(&m.head); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
		if i < len(heads)-1 {
			m.head.Flags |= proto.FlagMore
		}
		g.size += m.head.FrameBytes()
		if most := g.w.seg.capacity / 2; g.size > most {
			return fmt.Errorf("frames up to %d take %d bytes, a group at most %d: %w", i, g.size, most, ErrFrameTooLarge)
		}
	}
	return nil
}

// Len is the number of frames.
func (g *Group) Len() int { return len(g.members) }

// Position is where the first frame starts.
func (g *Group) Position() uint64 { return g.at }

// End is the position after the last frame.
func (g *Group) End() uint64 { return g.at + g.size }

// Payload is the space of frame i, in the ring itself.
func (g *Group) Payload(i int) []byte { return g.members[i].payload }

// Float64s is the payload of frame i as float64, or nil if it is of another dtype.
func (g *Group) Float64s(i int) []float64 {
	m := &g.members[i]
	if m.head.DType != proto.F64 {
		return nil
	}
	return float64s(m.payload)
}

// Array is frame i as an N-dimensional array, writable in place.
func (g *Group) Array(i int) (nd.Array, error) {
	m := &g.members[i]
	return headerArray(&m.head, m.payload)
}

// Commit makes all frames visible at once. The group is over. Commit of a group
// that is over does nothing. Lost memory is told as by Claim.Commit.
func (g *Group) Commit() {
	w := g.w
	if w.open != openGroup {
		return
	}
	w.open = openNone
	done := false
	defer w.leave(&done, debug.SetPanicOnFault(true))
	end := g.at + g.size
	storePlain(w.seg.commitWord(end), 0)
	for i := range g.members {
		m := &g.members[i]
		m.head.Number = w.num + uint64(i)
		m.head.Encode(w.seg.at(m.at))
		if i > 0 {
			storePlain(w.seg.commitWord(m.at), m.at|uint64(m.head.Kind))
		}
	}
	w.publish(g.at, g.members[0].head.Kind, end, uint64(len(g.members)))
	done = true
}

// Abort gives the space back. Nothing of it ever becomes visible. Abort of a group
// that is over does nothing.
func (g *Group) Abort() { g.w.abort(openGroup) }
