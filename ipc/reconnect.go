//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ndring/ndring/proto"
)

// reconnect finds the writer that took the ring up after the one before died, and
// takes the reader's slot up again at its own position. Where that writer has ended
// the ring and left, the reader goes on alone: nobody overwrites what it has mapped.
// Errors wrap ErrWriterLost, which is final, or that of ctx.
func (r *Reader) reconnect(ctx context.Context) error {
	if err := r.Release(); err != nil {
		return err
	}
	position := r.Position()
	if r.over = r.over && r.session.segment.State().Ended; r.over {
		r.err = fmt.Errorf("ring %q: it has ended, but not at position %d where this reader is: %w", r.client.name, position, ErrWriterLost)
		return r.err
	}
	hello := r.hello
	hello.Flags |= proto.HelloReconnect
	hello.RingID = r.session.welcome.RingID
	hello.Slot, hello.Generation = r.session.welcome.Slot, r.session.welcome.Generation
	hello.Start, hello.Position = proto.StartPosition, position
	s, err := r.client.again(ctx, r.session, &hello, r.patience)
	if err == errEnded { // a writer that goes on with it, because it owes frames, shows as an epoch
		r.over = true
		return nil
	}
	if errors.Is(err, ErrWriterLost) {
		r.err = err
	}
	if err != nil {
		return err
	}
	if s.welcome.Start != position {
		s.close()
		r.err = fmt.Errorf("ring %q: the new writer starts this reader at position %d, it was at %d: %w", r.client.name, s.welcome.Start, position, ErrWriterLost)
		return r.err
	}
	r.client.log.Info("reconnected", "ring", r.client.name, "epoch", s.welcome.Epoch, "position", position)
	old := r.session
	s.dropSegment(old)
	r.session = s
	defer old.close()
	return r.resume()
}

// resume moves the reader of the ring to its new session.
func (r *Reader) resume() error {
	if r.park != nil {
		return r.park.Rebind(r.parkConfig())
	}
	r.news.session = r.session
	r.news.released, r.news.sent = r.session.welcome.Start, r.session.welcome.Start
	return nil
}

// again connects once more to a ring whose writer hung up. The old session's
// connection is closed first, so that a writer that lives on knows that the reader
// left it. The error is errEnded when there is none because the ring has ended.
func (c *client) again(ctx context.Context, old *session, h *proto.Hello, patience time.Duration) (*session, error) {
	old.control.close()
	old.control.hungUp = true
	c.log.Warn("writer hung up", "ring", c.name, "position", h.Position, "wait", patience)
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ended := func() bool { return old.segment.State().Ended }
	s, err := c.connect(limited, h, ended)
	switch {
	case err == nil:
		return s, nil
	case ended():
		return nil, errEnded
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, fmt.Errorf("ring %q: no writer took it up within %v: %w", c.name, patience, ErrWriterLost)
	}
	return nil, fmt.Errorf("ring %q: %w: %w", c.name, err, ErrWriterLost)
}
