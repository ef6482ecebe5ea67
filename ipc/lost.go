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

	"github.com/ndring/ndring/ring"
)

// leave is deferred by every method that touches the ring. A loss is final.
func (r *Reader) leave(done *bool, before bool, err *error) {
	if *done {
		if !before {
			debug.SetPanicOnFault(false)
		}
		return
	}
	if lost := r.caught(recover(), before); lost != nil {
		*err = lost
	}
}

// caught is the error of guarded work that did not come to its end; nil says that the
// goroutine exits.
func (r *Reader) caught(reason any, before bool) error {
	if lost := ring.Lost(reason, before, r); lost != nil {
		return r.lose(lost)
	}
	return nil
}

func (r *Reader) lose(lost error) error {
	r.err = fmt.Errorf("reader of ring %q: %w", r.client.name, lost)
	return r.err
}

// Holds reports whether address lies in the ring's memory; see Guard.
func (r *Reader) Holds(address uintptr) bool { return r.session.Holds(address) }

func (r *Reader) closed() bool { return errors.Is(r.err, os.ErrClosed) }

// leave is Reader.leave.
func (o *Observer) leave(done *bool, before bool, err *error) {
	if *done {
		debug.SetPanicOnFault(before)
		return
	}
	if lost := ring.Lost(recover(), before, o); lost != nil {
		*err = o.lose(lost)
	}
}

func (o *Observer) lose(lost error) error {
	o.err = fmt.Errorf("observer of ring %q: %w", o.client.name, lost)
	return o.err
}

// release is for framesOf: an observer holds a copy.
func (o *Observer) release() error { return nil }

// Holds reports whether address lies in the ring's memory; see Guard.
func (o *Observer) Holds(address uintptr) bool { return o.session.Holds(address) }

func (o *Observer) closed() bool { return errors.Is(o.err, os.ErrClosed) }

// reading is what a loop over frames needs of a reader, without guards.
type reading interface {
	ring.Region
	next(context.Context) (*ring.Frame, error)
	release() error
	lose(error) error
}

var (
	_ reading     = (*Reader)(nil)
	_ reading     = (*Observer)(nil)
	_ ring.Region = (*Writer)(nil)
	_ ring.Region = (*Snapshot)(nil)
)

// framesOf loops over frames under one guard. A panic of the loop's body is let
// through: Go forbids an iterator to recover it.
func framesOf(ctx context.Context, r reading) iter.Seq2[*ring.Frame, error] {
	return func(yield func(*ring.Frame, error) bool) {
		own := true // what runs is the iterator's own
		defer func(before bool) {
			if !own {
				debug.SetPanicOnFault(before)
				return
			}
			if err := ring.Lost(recover(), before, r); err != nil {
				yield(nil, r.lose(err))
			}
		}(debug.SetPanicOnFault(true))
		for {
			f, err := r.next(ctx)
			own = false
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			more := yield(f, nil)
			own = true
			err = r.release()
			own = false
			if err != nil && more {
				yield(nil, err)
				return
			}
			if !more {
				return
			}
			own = true
		}
	}
}
