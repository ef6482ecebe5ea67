//go:build amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ndring/ndring/cmd/stepper/check"
	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// takeover steps through ipc.Listen, on an empty directory or on one that a writer
// left when it died. After each instruction the memory is judged, as soon as the
// segment has a name; after each system call a real ipc.Listen, with a real reader,
// takes over a copy of the directory.
type takeover struct {
	parent  string
	dir     string
	copies  string
	child   *child
	segment image
	table   image
	due     *script.Script // its ledger alone counts
	readers int            // of the dead writer
	checker *check.Checker
	calls   int
	ending  bool // it steps through Close instead
}

// stepListen steps through a Listen; with frames in the ring if it is left over.
func stepListen(parent string, leftOver bool, t *tally) error {
	s, err := newTakeover(parent, leftOver)
	if err != nil {
		return err
	}
	defer s.close()
	name := "listen"
	if leftOver {
		name = "listen again"
	}
	return s.run("listen", t, t.path(name), s.step)
}

// newTakeover makes the directories below parent, empty or with what a writer leaves.
func newTakeover(parent string, leftOver bool) (*takeover, error) {
	dir, err := os.MkdirTemp(parent, "takeover-")
	if err != nil {
		return nil, err
	}
	s := &takeover{parent: dir, dir: filepath.Join(dir, "rings"), copies: filepath.Join(dir, "copy"), due: &script.Script{Ledger: script.Ledger{Capacity: lifeBytes}}}
	s.segment.path, s.table.path = filepath.Join(s.dir, script.SegmentFile), filepath.Join(s.dir, script.TableFile)
	err = os.Mkdir(s.dir, 0o700)
	if err == nil && leftOver {
		err = s.leave(filepath.Join(dir, "first"))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("prepare: %w", err)
	}
	return s, nil
}

func (s *takeover) close() {
	s.segment.close()
	s.table.close()
	if s.checker != nil {
		s.checker.Close()
	}
	os.RemoveAll(s.parent)
}

// run starts a part, steps through it, and counts what was seen.
func (s *takeover) run(part string, t *tally, path *pathTally, step func(*pathTally) error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if s.child, err = start(part, s.dir); err != nil {
		return err
	}
	defer s.child.end()
	if err := s.child.seize(); err != nil {
		return err
	}
	path.runs++
	if err := step(path); err != nil {
		return fmt.Errorf("%s, after instruction %d, at %s: %w", part, path.steps, placeOf(s.child.thread.Regs.Rip), err)
	}
	t.calls += s.calls
	t.states += s.checker.States
	t.frames += s.checker.Frames
	return nil
}

// leave makes what a writer leaves that dies with two readers, which have
// read nothing yet.
func (s *takeover) leave(dir string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, err := ipc.Listen(ctx, "x", lifeConfig(dir))
	if err != nil {
		return err
	}
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		r, err := ipc.Dial(ctx, "x", ipc.ReaderConfig{Dir: dir, Wake: wake})
		if err != nil {
			return err
		}
		defer r.Close()
		s.readers++
	}
	number := uint64(0)
	for _, u := range cycle() {
		s.due.Add(append(unit(nil), u...)...)
		if err := writeUnit(w, u, number, func() {}); err != nil {
			return err
		}
		number += uint64(len(u))
	}
	err = copyRing(dir, s.dir)
	cancel()
	w.Close(ctx)
	return err
}

// copyRing copies what a death leaves of a ring, but for the socket, to which nobody
// could connect.
func copyRing(from, to string) error {
	for _, name := range []string{script.SegmentFile, script.TableFile, "." + script.TableFile + ".new", "x.lock"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// step goes through the whole of Listen, to the end of the child.
func (s *takeover) step(path *pathTally) error {
	for {
		stop, err := s.child.thread.Step()
		if err != nil {
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
		if stop.Mark != 0 {
			return s.child.finish()
		}
	}
}

// look judges the memory of the ring, once there is one.
func (s *takeover) look() (bool, error) {
	if s.segment.bytes == nil {
		return false, nil
	}
	if s.checker == nil {
		if s.table.bytes == nil {
			return false, errors.New("the segment has a name, but no reader table has")
		}
		id, err := proto.DecodeIdentity(s.segment.bytes)
		if err != nil {
			return false, fmt.Errorf("the segment has a name, but is not complete: %w", err)
		}
		s.due.ID = id
		if s.checker, err = check.New(s.due); err != nil {
			return false, err
		}
		s.checker.Readers, s.checker.Owed = s.readers, s.ending
		if err := s.checker.Begin(script.Operation{Frames: len(s.due.Frames)}); err != nil {
			return false, err
		}
		if _, err := s.checker.Look(s.segment.bytes, s.table.bytes); err != nil {
			return true, err
		}
		return true, s.checker.Begin(script.Operation{})
	}
	return s.checker.Look(s.segment.bytes, s.table.bytes)
}

// afterCall looks for new files, and has another writer take over a copy.
func (s *takeover) afterCall() error {
	s.calls++
	if err := s.segment.refresh(); err != nil {
		return err
	}
	if err := s.table.refresh(); err != nil {
		return err
	}
	if err := os.Mkdir(s.copies, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(s.copies)
	if err := copyRing(s.dir, s.copies); err != nil {
		return err
	}
	if err := s.succeed(); err != nil {
		return fmt.Errorf("another Listen on a copy of the directory: %w", err)
	}
	return nil
}

// succeed listens on the copy, reads everything that was committed with a reader
// that dials, then some more.
func (s *takeover) succeed() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	owed := s.owed()
	w, err := ipc.Listen(ctx, "x", lifeConfig(s.copies))
	if err != nil {
		return err
	}
	defer func() {
		ended, end := context.WithCancel(ctx)
		end()
		w.Close(ended) // the readers of the life before will not come
	}()
	number := firstOf(w)
	if number != uint64(owed) {
		return fmt.Errorf("goes on with frame %d, due is %d", number, owed)
	}
	r, err := ipc.Dial(ctx, "x", ipc.ReaderConfig{Dir: s.copies, Start: proto.StartOldest})
	if err != nil {
		return err
	}
	defer r.Close()
	more := cycle()[:4]
	last := number
	for _, u := range more {
		if err := writeUnit(w, u, last, func() {}); err != nil {
			return err
		}
		last += uint64(len(u))
	}
	for n := uint64(0); n < last; n++ {
		f, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if err := checkFrame(f, n); err != nil {
			return err
		}
	}
	return nil
}
