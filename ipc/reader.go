//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Reader is a lossless reader of a ring in another process, or in this one: it
// gets every frame from its first position on, once and in order, also across a
// restart of the writer. It is for one goroutine at a time.
type Reader struct {
	client   client
	hello    proto.Hello
	patience time.Duration
	spin     time.Duration
	session  *session
	first    proto.Welcome
	park     *ring.Reader       // in park mode
	stream   *ring.StreamReader // in stream mode
	news     *announcements     // in stream mode
	over     bool               // the ring ended and its writer has left
	err      error              // why no frame will come any more
}

// Next returns the next frame under lease and waits for it if need be. A frame
// still held is released first. At the end of the ring it returns io.EOF.
//
// Other errors: that of ctx, after which Next may be called again; ErrWriterLost
// once everything committed was delivered; ErrEvicted, ring.ErrCorrupt,
// ErrSegmentLost and os.ErrClosed.
func (r *Reader) Next(ctx context.Context) (f *ring.Frame, err error) {
	done, before := false, debug.SetPanicOnFault(true)
	defer func() { // as leave does it, but for one call less
		if !done {
			err = r.caught(recover(), before)
		} else if !before {
			debug.SetPanicOnFault(false)
		}
	}()
	if r.park != nil && !r.epochPassed() { // as next does it, but for one call less
		f, err = r.park.Next(ctx)
	}
	if f == nil {
		f, err = r.nextSlow(ctx, err)
	}
	done = true
	return f, err
}

// next is Next without a guard.
func (r *Reader) next(ctx context.Context) (f *ring.Frame, err error) {
	if r.park != nil && !r.epochPassed() {
		f, err = r.park.Next(ctx)
	}
	if f == nil {
		f, err = r.nextSlow(ctx, err)
	}
	return f, err
}

// epochPassed reports whether another writer took the ring up. A reader that is
// busy with what is there must reconnect before its grace ends.
func (r *Reader) epochPassed() bool {
	if r.err != nil {
		return true
	}
	s := r.session
	if r.over && s.segment.State().Ended {
		return false
	}
	return s.segment.Epoch() != s.welcome.Epoch
}

// nextSlow is Next after a reader's error, in stream mode and across restarts.
func (r *Reader) nextSlow(ctx context.Context, err error) (*ring.Frame, error) {
	for {
		if err = r.mend(ctx, err); err != nil {
			return nil, err
		}
		var f *ring.Frame
		if f, err = r.source().Next(ctx); err == nil {
			return f, nil
		}
	}
}

// mend reconnects if err, or another writer, makes that necessary. It returns nil
// when the ring can be read again, or for the first time.
func (r *Reader) mend(ctx context.Context, err error) error {
	if r.err != nil {
		return r.err
	}
	if errors.Is(err, errHangup) || err == nil && r.epochPassed() {
		return r.reconnect(ctx)
	}
	return err
}

// source is the reader of the ring, whatever its wake mode.
func (r *Reader) source() interface {
	Next(context.Context) (*ring.Frame, error)
	NextBatch(context.Context, int) (*ring.ReadBatch, error)
	Frame() *ring.Frame
	Ready() bool
	Release() error
	Position() uint64
} {
	if r.park != nil {
		return r.park
	}
	return r.stream
}

// Ready reports whether Next would return at once with what is known now.
func (r *Reader) Ready() (ready bool) {
	if r.err != nil {
		return true
	}
	var err error
	done := false
	defer r.leave(&done, debug.SetPanicOnFault(true), &err)
	ready = true // if the ring's memory is lost
	ready = r.source().Ready()
	done = true
	return ready
}

// Release gives the leased frame back. ErrEvicted says that it may have been
// overwritten while it was held. Release without a lease does nothing.
func (r *Reader) Release() (err error) {
	done := false
	defer r.leave(&done, debug.SetPanicOnFault(true), &err)
	err = r.release()
	done = true
	return err
}

func (r *Reader) release() error {
	if r.park != nil {
		return r.park.Release()
	}
	return r.stream.Release()
}

// Frames iterates over the frames to come; each is released when the loop goes on
// or ends. The end of the ring ends the loop; an error is yielded last, with a nil
// frame. A fault of the loop's body in a frame is a panic, which no iterator may
// recover: put the loop into Guard.
func (r *Reader) Frames(ctx context.Context) iter.Seq2[*ring.Frame, error] {
	return framesOf(ctx, r)
}

// Position is the reader's cursor: all before it is released.
func (r *Reader) Position() uint64 { return r.source().Position() }

// Identity describes the ring. The result is shared and must not be changed.
func (r *Reader) Identity() *proto.Identity { return r.session.segment.Identity() }

// Welcome is the writer's first answer: where the reader began and what history
// the ring held then.
func (r *Reader) Welcome() proto.Welcome { return r.first }

// Epoch counts the lives of the ring's writers, from 1, as this reader knows it.
func (r *Reader) Epoch() uint64 { return r.session.welcome.Epoch }

// Rescues counts waits that only the safety interval ended; anything but 0 is a
// bug in waking.
func (r *Reader) Rescues() uint64 {
	if r.park == nil {
		return 0
	}
	return r.park.Rescues()
}

// ControlBytes is how much went over the present control connection, both ways,
// payload being never among it.
func (r *Reader) ControlBytes() uint64 {
	s := r.session.control.sock
	return s.sent.Load() + s.received.Load()
}

// Close releases the frame held, gives the reader's slot up and unmaps the ring:
// slices of its frames must not be used any more. Doing so is a fault, and
// ErrSegmentLost under Guard, as long as the Reader or a Frame of it is referred to;
// after that other memory may lie there. Close is for the goroutine that reads; end a waiting Next by its context first. Close is idempotent.
func (r *Reader) Close() error { return r.close(true) }

// Leave is Close without releasing the frame held or giving the slot up, as a death
// would end the reader: a named one that asked for it finds its place again
// (ReaderConfig.Keep).
func (r *Reader) Leave() error { return r.close(false) }

func (r *Reader) close(goodbye bool) error {
	if errors.Is(r.err, os.ErrClosed) {
		return nil
	}
	var err error
	if goodbye {
		err = r.Release()
	}
	if errors.Is(err, ring.ErrEvicted) || errors.Is(err, ring.ErrCorrupt) || errors.Is(err, ErrSegmentLost) {
		err = nil // told by Next or Release before
	}
	r.err = fmt.Errorf("reader of ring %q: %w", r.client.name, os.ErrClosed)
	if r.news != nil {
		r.news.flush()
	}
	if goodbye {
		r.session.control.goodbye(r.Position())
	}
	r.session.close()
	return err
}
