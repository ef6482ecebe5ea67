//go:build amd64

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/ndring/ndring/cmd/stepper/check"
	"github.com/ndring/ndring/cmd/stepper/script"
)

// run steps through one script and judges the ring after each step.
type run struct {
	script  *script.Script
	child   *child
	segment image
	table   image
	checker *check.Checker
	tally   *tally
	op      int // under way
	step    int // within it
}

// stepScript runs script number with a ring of its own below parent. The error says
// after which instruction the ring was not as it must be.
func stepScript(parent string, number int, s *script.Script, t *tally) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dir, err := os.MkdirTemp(parent, "script-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &run{script: s, tally: t, op: -1}
	r.segment.path = filepath.Join(dir, script.SegmentFile)
	r.table.path = filepath.Join(dir, script.TableFile)
	if r.checker, err = check.New(s); err != nil {
		return err
	}
	defer r.checker.Close()
	if r.child, err = start("play", strconv.Itoa(number), dir); err != nil {
		return err
	}
	defer r.child.end()
	defer r.segment.close()
	defer r.table.close()
	if err := r.child.seize(); err != nil {
		return err
	}
	if err := r.all(); err != nil {
		return err
	}
	t.states += r.checker.States
	t.frames += r.checker.Frames
	return r.child.finish()
}

// all runs every operation. The thread stands at the mark of the first one.
func (r *run) all() error {
	for r.op = range r.script.Ops {
		op := &r.script.Ops[r.op]
		if err := r.begin(op); err != nil {
			return r.explain(err)
		}
		step := r.stepped
		if op.Fast {
			step = r.fast
		}
		if err := step(op); err != nil {
			return r.explain(err)
		}
	}
	if err := r.checker.End(); err != nil {
		return r.explain(err)
	}
	return nil
}

func (r *run) begin(op *script.Operation) error {
	if err := r.refresh(); err != nil {
		return err
	}
	r.step = 0
	return r.checker.Begin(*op)
}

func (r *run) refresh() error {
	if err := r.segment.refresh(); err != nil {
		return err
	}
	return r.table.refresh()
}

// fast runs an operation at full speed and judges what it left.
func (r *run) fast(*script.Operation) error {
	if _, err := r.child.thread.Run(); err != nil {
		return err
	}
	_, err := r.checker.Look(r.segment.bytes, r.table.bytes)
	return err
}

// stepped runs an operation instruction by instruction.
func (r *run) stepped(op *script.Operation) error {
	path := r.tally.path(op.Path)
	path.runs++
	for {
		stop, err := r.child.thread.Step()
		if err != nil {
			return err
		}
		if r.child.thread.AfterCall() {
			if err := r.refresh(); err != nil {
				return err
			}
		}
		changed, err := r.checker.Look(r.segment.bytes, r.table.bytes)
		if err != nil {
			return err
		}
		r.step++
		path.count(r.child.thread.Regs.Rip, changed)
		if stop.Mark != 0 {
			return nil
		}
	}
}

// explain says where an error was found.
func (r *run) explain(err error) error {
	op := "the end"
	if r.op < len(r.script.Ops) {
		op = r.script.Ops[r.op].Path
	}
	where := ""
	if r.child.thread != nil {
		where = placeOf(r.child.thread.Regs.Rip)
	}
	return fmt.Errorf("script %s, operation %d (%s), after instruction %d, at %s: %w", r.script.Name, r.op, op, r.step, where, err)
}
