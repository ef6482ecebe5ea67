package ring

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// A ring's memory can be lost under those who use it: another process of the same
// user may cut the file short, or punch a hole into it that a full file system
// cannot fill again. A touch of such memory faults, which ends a Go program unless
// the goroutine that touches it asked for a panic instead. Everything in this
// package that touches a ring runs under that request, either its own (what a
// Writer does, Frame.Valid) or its caller's (see Guard).

// Region is memory that can be lost: a Segment, a Table, or whatever holds some.
type Region interface {
	// Holds reports whether address lies in the memory.
	Holds(address uintptr) bool
}

var (
	_ Region = (*Segment)(nil)
	_ Region = (*Table)(nil)
)

// Guard runs run. A fault in one of regions on the way becomes a *LostError, and is
// told to the region if it has a method Abandon(error), as writers do; any other
// panic goes on. Locks that run took and does not release by a deferred call stay
// locked, and goroutines that it starts are not guarded.
func Guard(run func() error, regions ...Region) (err error) {
	done := false
	defer func(before bool) {
		if done {
			debug.SetPanicOnFault(before)
			return
		}
		err = Lost(recover(), before, regions...)
	}(debug.SetPanicOnFault(true))
	err = run()
	done = true
	return err
}

// Lost ends guarded work that did not come to its end: a deferred call hands it
// what it recovered, and what debug.SetPanicOnFault returned. The result is that of
// Guard; nil says that the goroutine exits.
func Lost(reason any, before bool, regions ...Region) error {
	debug.SetPanicOnFault(before)
	if reason == nil {
		return nil
	}
	fault, ok := reason.(interface{ Addr() uintptr })
	if !ok {
		panic(reason)
	}
	for _, r := range regions {
		if !r.Holds(fault.Addr()) {
			continue
		}
		err := &LostError{Address: fault.Addr()}
		if w, ok := r.(interface{ Abandon(error) }); ok {
			w.Abandon(err)
		}
		return err
	}
	panic(reason)
}

// LostError says where lost memory was touched.
type LostError struct {
	Address uintptr
}

// Error names the address and what may have happened.
func (e *LostError) Error() string {
	return fmt.Sprintf("fault at address %#x: another process cut the ring's file short, or its file system is full: %v", e.Address, ErrSegmentLost)
}

// Unwrap returns ErrSegmentLost.
func (e *LostError) Unwrap() error { return ErrSegmentLost }

// guarded is Guard for what the writer's goroutine does now and then. A loss is
// final.
func (w *Writer) guarded(run func() error) error {
	err := Guard(run, w.seg, w.table)
	if errors.Is(err, ErrSegmentLost) {
		w.lose(err)
	}
	return err
}

// leave is deferred by what the writer's goroutine does for each frame, which has
// no error to return: the next claim tells what happened.
func (w *Writer) leave(done *bool, before bool) {
	if *done {
		if !before {
			debug.SetPanicOnFault(false)
		}
		return
	}
	if err := Lost(recover(), before, w.seg, w.table); err != nil {
		w.lose(err)
	}
}

// lose sends every claim from now on the slow way, where it fails.
func (w *Writer) lose(err error) {
	w.lost.CompareAndSwap(nil, &err)
	w.open = openNone
	w.lim = w.pos
	w.setRoom()
}

// claimOpen is why there can be no second claim now.
func (w *Writer) claimOpen() error {
	if err := w.Err(); err != nil {
		return err // what was claimed may never be committed or aborted
	}
	return ErrClaimOpen
}

// Abandon makes every claim from now on fail with err, and one that waits. It is
// safe for concurrent use. The first error counts.
func (w *Writer) Abandon(err error) {
	w.lost.CompareAndSwap(nil, &err)
	if bell, ok := w.cfg.Sleeper.(Bell); ok {
		bell.Ring()
	}
}

// Err is why the writer cannot go on: its memory is lost, or it was abandoned. It is
// nil while it can, and safe for concurrent use.
func (w *Writer) Err() error {
	if err := w.lost.Load(); err != nil {
		return *err
	}
	return nil
}
