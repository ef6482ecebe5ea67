//go:build amd64

package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/cmd/stepper/trace"
	"github.com/ndring/ndring/ipc"
)

// partClose listens on ring x in directory DIR, is ready, and closes it without waiting
// for the readers that are still to come back.
func partClose(args []string) error {
	m := trace.NewMarker()
	w, err := ipc.Listen(context.Background(), "x", lifeConfig(args[0]))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := ready(m, firstOf(w)); err != nil {
		return err
	}
	m.Mark(trace.MarkNext)
	w.Close(ctx)
	m.Mark(trace.MarkEnd)
	return nil
}

// stepClose steps through the end of a ring whose readers have read nothing yet, up to
// where its files have no names. What follows waits for the control plane, which stands
// still here, and touches no file but the lock.
func stepClose(parent string, t *tally) error {
	s, err := newTakeover(parent, true)
	if err != nil {
		return err
	}
	defer s.close()
	s.ending = true
	return s.run("close", t, t.path("close"), s.stepToTheEnd)
}

// stepToTheEnd steps until neither segment nor reader table has a name.
func (s *takeover) stepToTheEnd(path *pathTally) error {
	if err := s.afterCall(); err != nil { // finds the files
		return err
	}
	if _, err := s.look(); err != nil {
		return err
	}
	for s.segment.bytes != nil || s.table.bytes != nil {
		if _, err := s.child.thread.Step(); err != nil {
			return err
		}
		if s.child.thread.AfterCall() {
			if err := s.afterCall(); err != nil {
				return err
			}
		}
		changed, err := s.look()
		if err != nil {
			return err
		}
		path.count(s.child.thread.Regs.Rip, changed)
	}
	return nil
}

// owed is how many frames whoever listens next on the copy must find: once the segment
// of a ring that ends has no name, another ring may begin.
func (s *takeover) owed() int {
	if s.ending {
		if _, err := os.Lstat(filepath.Join(s.copies, script.SegmentFile)); err != nil {
			return 0
		}
	}
	return len(s.due.Frames)
}
