//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/ndring/ndring/cmd/stepper/trace"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// lifeConfig is how every writer of the ring that is written to in lives listens.
func lifeConfig(dir string) ipc.WriterConfig {
	return ipc.WriterConfig{Dir: dir, Capacity: lifeBytes, Slots: 4, Grace: time.Minute}
}

// runnable is how many threads of a life may run Go code at a time: more than ever want
// to. One that is seized just when it woke up keeps its right to run for good, and the
// stepped thread must find another. It counts from when the writer has decided that it
// does not spin, since one alone may run.
const runnable = 8

// partLive listens on ring x in directory DIR, waits until READERS readers are
// attached, is ready, and writes UNITS units, with marks. Then it ends like a process
// that was killed: the ring stays as it is.
func partLive(args []string) error {
	readers, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	units, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	m := trace.NewMarker()
	w, err := ipc.Listen(context.Background(), "x", lifeConfig(args[0]))
	if err != nil {
		return err
	}
	number := firstOf(w)
	at, err := unitAt(number)
	if err != nil {
		return err
	}
	for attached(w) < readers {
		time.Sleep(time.Millisecond)
	}
	runtime.GOMAXPROCS(runnable)
	if err := ready(m, number); err != nil {
		return err
	}
	all := cycle()
	for range units {
		u := all[at%len(all)]
		if err := writeUnit(w, u, number, func() { m.Mark(trace.MarkNext) }); err != nil {
			return err
		}
		number += uint64(len(u))
		at++
	}
	m.Mark(trace.MarkEnd)
	return nil
}

// firstOf is the number of the frame that w writes next; the words of a new life hold
// it until the first commit.
func firstOf(w *ipc.Writer) uint64 { return w.State().Number }

func attached(w *ipc.Writer) int {
	n := 0
	for _, r := range w.Readers() {
		if r.State == proto.SlotActive {
			n++
		}
	}
	return n
}

// partListen is ready, then listens on ring x in directory DIR, between marks.
func partListen(args []string) error {
	m := trace.NewMarker()
	if err := ready(m, 0); err != nil {
		return err
	}
	m.Mark(trace.MarkNext)
	w, err := ipc.Listen(context.Background(), "x", lifeConfig(args[0]))
	m.Mark(trace.MarkEnd)
	if err != nil {
		return err
	}
	if len(args) > 1 { // stay, as one that is killed
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.Close(ctx) // without readers it does not wait
	return nil
}

// follower is a reader in this process that compares every frame, over all lives.
type follower struct {
	kind string
	next chan uint64 // frames taken, newest only
	err  chan error  // one error, or nil at the end of the ring
}

// follow dials the ring and reads on, whoever writes it, to its end.
func follow(ctx context.Context, cfg ipc.ReaderConfig) *follower {
	f := &follower{kind: fmt.Sprint("reader of wake mode ", uint32(cfg.Wake)), next: make(chan uint64, 1), err: make(chan error, 1)}
	go func() { f.err <- f.run(ctx, cfg) }()
	return f
}

func (f *follower) run(ctx context.Context, cfg ipc.ReaderConfig) error {
	r, err := ipc.Dial(ctx, "x", cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	number := uint64(0)
	for frame, err := range r.Frames(ctx) {
		if err == nil {
			err = checkFrame(frame, number)
		}
		if err != nil {
			return fmt.Errorf("%s, at frame %d: %w", f.kind, number, err)
		}
		number++
		f.tell(number)
	}
	return nil
}

// tell replaces what was told last.
func (f *follower) tell(number uint64) {
	select {
	case <-f.next:
	default:
	}
	f.next <- number
}

// await waits until the follower has taken number frames.
func (f *follower) await(ctx context.Context, number, have uint64) (uint64, error) {
	for have < number {
		select {
		case have = <-f.next:
		case err := <-f.err:
			return have, fmt.Errorf("%s ended: %w", f.kind, err)
		case <-ctx.Done():
			return have, fmt.Errorf("stuck: %s has %d of %d frames", f.kind, have, number)
		}
	}
	return have, nil
}
