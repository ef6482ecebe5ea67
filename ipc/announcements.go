//go:build linux

package ipc

import (
	"context"
	"errors"
	"io"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// releaseDivisor sets how much of the ring a reader in stream mode keeps back
// before it says so: capacity/releaseDivisor, or whatever there is before waiting.
const releaseDivisor = 16

// announcements is the control plane of a reader in stream mode.
type announcements struct {
	session  *session
	released uint64 // by the reader
	sent     uint64 // told the writer
}

var _ ring.Announcements = (*announcements)(nil)

// Await blocks until something beyond position is announced. When the writer is
// gone it looks at the ring once more, for what nobody announced.
func (a *announcements) Await(ctx context.Context, position uint64) (uint64, error) {
	c := a.session.control
	c.drain()
	for {
		if c.evicted {
			return 0, c.verdict()
		}
		if int64(c.published-position) > 0 {
			return c.published, nil
		}
		if a.endsAt(position) {
			a.flush()
			return 0, io.EOF
		}
		a.flush()
		err := a.session.parker.Sleep(ctx)
		if errors.Is(err, errHangup) {
			c.advance(a.session.segment.Tail())
		}
		if err != nil && int64(c.published-position) <= 0 && !a.endsAt(position) {
			return 0, err
		}
	}
}

// endsAt reports whether the ring ends at position. A writer that is done hangs up
// after it said so, and both may arrive at once.
func (a *announcements) endsAt(position uint64) bool {
	state := a.session.segment.State()
	return state.Ended && state.Final == position
}

// Released notes how far the reader is and tells the writer now and then.
func (a *announcements) Released(position uint64) {
	a.released = position
	if a.released-a.sent >= a.session.segment.Identity().Capacity/releaseDivisor {
		a.flush()
	}
}

// flush tells the writer how far the reader is.
func (a *announcements) flush() {
	if a.released != a.sent {
		a.sent = a.released
		a.session.control.offer(placeReleased, proto.Note{Type: proto.MsgReleased, Position: a.released})
		return
	}
	_ = a.session.control.out.flush() // a broken connection shows when it is read
}
