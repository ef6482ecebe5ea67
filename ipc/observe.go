//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime/debug"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Observer is a lossy reader of a ring: the writer never waits for it, it maps
// everything read-only, and it is told how many frames it missed. It is for one
// goroutine at a time.
type Observer struct {
	client   client
	hello    proto.Hello
	patience time.Duration
	session  *session
	observer *ring.Observer
	over     bool   // the ring ended and its writer has left
	awaited  uint64 // where the observer stood when it was last told to look again
	err      error
}

// Observe attaches an observer to ring name. Errors are those of Dial, and
// ring.ErrNoPosition.
func Observe(ctx context.Context, name string, cfg ObserverConfig) (*Observer, error) {
	if err := proto.CheckName(name); err != nil {
		return nil, fmt.Errorf("observe ring %q: %w", name, err)
	}
	o := &Observer{
		client: client{dir: cfg.Dir, name: name, log: loggerOr(cfg.Logger), noWait: cfg.NoWait, onWait: cfg.OnWait},
		hello: proto.Hello{
			Major: proto.VersionMajor, Minor: proto.VersionMinor, PID: uint32(os.Getpid()),
			Role: proto.RoleObserver, Wake: proto.WakeStream, Start: proto.StartOldest,
		},
		patience: orDefault(cfg.RestartWait, DefaultRestartWait),
	}
	var err error
	if o.session, err = o.client.connect(ctx, &o.hello, endless); err != nil {
		return nil, fmt.Errorf("observe ring %q: %w", name, err)
	}
	o.client.noWait = false // a reconnect waits for a time of its own
	err = Guard(func() (err error) {
		o.observer, err = ring.NewObserver(o.session.segment, ring.ObserverConfig{Start: cfg.Start, Position: cfg.Position, Wait: o.wait})
		return err
	}, o)
	if err != nil {
		o.session.close()
		return nil, fmt.Errorf("observe ring %q: %w", name, err)
	}
	return o, nil
}

// wait blocks until something beyond position is announced. What was announced is
// seen at the next look, since the message orders it; if that finds nothing either,
// the frame is gone.
func (o *Observer) wait(ctx context.Context, position uint64) error {
	c := o.session.control
	told := int64(c.published-position) > 0
	c.drain()
	if int64(c.published-position) <= 0 {
		return o.session.parker.Sleep(ctx)
	}
	if told && o.awaited == position {
		return fmt.Errorf("no frame at position %d, announced up to %d: %w", position, c.published, ring.ErrCorrupt)
	}
	o.awaited = position
	return nil
}

// Next returns a copy of the next frame, valid until the next call; Frame.Lost
// tells how many were missed before it. At the end of the ring it returns io.EOF.
// Other errors: that of ctx, ErrWriterLost, ring.ErrCorrupt, ErrSegmentLost and
// os.ErrClosed.
func (o *Observer) Next(ctx context.Context) (f *ring.Frame, err error) {
	done := false
	defer o.leave(&done, debug.SetPanicOnFault(true), &err)
	f, err = o.next(ctx)
	done = true
	return f, err
}

// next is Next without a guard.
func (o *Observer) next(ctx context.Context) (*ring.Frame, error) {
	for {
		if o.err != nil {
			return nil, o.err
		}
		f, err := o.observer.Next(ctx)
		if !errors.Is(err, errHangup) {
			return f, err
		}
		if err := o.reconnect(ctx); err != nil {
			return nil, err
		}
	}
}

// reconnect finds the writer that took the ring up.
func (o *Observer) reconnect(ctx context.Context) error {
	if o.over = o.over && o.session.segment.State().Ended; o.over {
		o.err = fmt.Errorf("ring %q: it has ended, but not at position %d where this observer is: %w", o.client.name, o.Position(), ErrWriterLost)
		return o.err
	}
	hello := o.hello
	hello.RingID = o.session.welcome.RingID
	s, err := o.client.again(ctx, o.session, &hello, o.patience)
	if err == errEnded {
		o.over = true
		return nil
	}
	if errors.Is(err, ErrWriterLost) {
		o.err = err
	}
	if err != nil {
		return err
	}
	old := o.session
	s.dropSegment(old)
	o.session = s
	old.close()
	return nil
}

// Frames is Reader.Frames.
func (o *Observer) Frames(ctx context.Context) iter.Seq2[*ring.Frame, error] {
	return framesOf(ctx, o)
}

// Position is where the observer looks next.
func (o *Observer) Position() uint64 { return o.observer.Position() }

// Lost counts the frames missed so far: those told with Frame.Lost, and once Next has
// returned io.EOF those before the end of the ring too.
func (o *Observer) Lost() uint64 { return o.observer.Lost() }

// Laps counts how often the observer was overtaken.
func (o *Observer) Laps() uint64 { return o.observer.Laps() }

// Identity describes the ring. The result is shared and must not be changed.
func (o *Observer) Identity() *proto.Identity { return o.session.segment.Identity() }

// Close ends the connection and unmaps the ring. It is for the goroutine that
// reads. Close is idempotent.
func (o *Observer) Close() error {
	if errors.Is(o.err, os.ErrClosed) {
		return nil
	}
	o.err = fmt.Errorf("observer of ring %q: %w", o.client.name, os.ErrClosed)
	o.session.close()
	return nil
}

var _ io.Closer = (*Observer)(nil)
