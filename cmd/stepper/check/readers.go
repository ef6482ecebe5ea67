package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// errAsleep is what who would have to wait gets: in a copy nothing will happen.
var errAsleep = errors.New("nothing more")

type asleep struct{}

func (asleep) Sleep(context.Context) error { return errAsleep }
func (asleep) Ring()                       {}

// source is a Reader or an Observer.
type source interface {
	Next(context.Context) (*ring.Frame, error)
}

// readAll lets a fresh reader read from the cursor of each slot that gates, and from
// the start or the end of the ring where none does, and returns how many frames are
// visible; all must agree.
func (c *Checker) readAll() (int, error) {
	seen := -1
	for _, from := range c.cursors() {
		copy(c.scratch.reading, c.segment)
		copy(c.scratch.table, c.table)
		segment, err := ring.Open(c.scratch.reading)
		if err != nil {
			return 0, err
		}
		table, err := ring.OpenTable(c.scratch.table, segment.Identity())
		if err != nil {
			return 0, err
		}
		r, err := ring.NewReader(segment, ring.ReaderConfig{Table: table, Position: from, Sleeper: asleep{}, WriterBell: asleep{}})
		if err != nil {
			return 0, err
		}
		first, err := c.script.IndexAt(from)
		if err != nil {
			return 0, err
		}
		end, err := c.follow(r, c.script.Frames, first)
		if err != nil {
			return 0, fmt.Errorf("from position %d: %w", from, err)
		}
		if seen >= 0 && end != seen {
			return 0, fmt.Errorf("readers see %d frames and %d", seen, end)
		}
		seen = end
	}
	return seen, nil
}

// cursors are the positions from which somebody must still be able to read.
func (c *Checker) cursors() []uint64 {
	copy(c.scratch.older, c.table)
	var all []uint64
	if table, err := ring.OpenTable(c.scratch.older, &c.script.ID); err == nil {
		for i := range table.Slots() {
			if v := table.Slot(i); gating(v) {
				all = append(all, v.Cursor)
			}
		}
	}
	if len(all) > 0 {
		return all
	}
	flags := le.Uint64(c.segment[c.script.ID.WriterOff+proto.WrFlags:])
	if flags&(proto.WriterSawReader|proto.WriterFreeRun) == 0 {
		return []uint64{c.script.Start}
	}
	return []uint64{c.script.End(c.visible)}
}

// follow reads frames first, first+1, ... of due until there is no more, and
// returns how many there are.
func (c *Checker) follow(r source, due []script.Frame, first int) (int, error) {
	for n := first; ; n++ {
		f, err := r.Next(context.Background())
		if errors.Is(err, errAsleep) || errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if n >= len(due) {
			return n, fmt.Errorf("frame %d at position %d, where only %d are due", f.Number(), f.Position(), len(due))
		}
		if err := c.compare(f, &due[n]); err != nil {
			return n, err
		}
	}
}

// compare judges one frame that was delivered.
func (c *Checker) compare(f *ring.Frame, due *script.Frame) error {
	c.Frames++
	h, want := f.Header(), due.Head
	switch {
	case f.Number() != want.Number || f.Position() != due.At || f.End() != due.End:
		return fmt.Errorf("frame %d from %d to %d, due is %d from %d to %d", f.Number(), f.Position(), f.End(), want.Number, due.At, due.End)
	case f.Kind() != want.Kind || f.More() != (want.Flags&proto.FlagMore != 0):
		return fmt.Errorf("frame %d has kind %d, more %t, due are %d, %t", f.Number(), f.Kind(), f.More(), want.Kind, !f.More())
	case h.DType != want.DType || h.NDim != want.NDim || h.Shape != want.Shape || h.Strides != want.Strides || h.PayloadLen != want.PayloadLen:
		return fmt.Errorf("torn: frame %d is described %+v, due is %+v", f.Number(), h, want)
	case h.Role != want.Role || h.Sequence != want.Sequence || h.TimeNs != want.TimeNs || h.Stream != want.Stream || h.Source != want.Source || h.SourceID != want.SourceID:
		return fmt.Errorf("torn: frame %d says %+v, due is %+v", f.Number(), h, want)
	case !bytes.Equal(f.Payload(), due.Payload):
		return fmt.Errorf("torn: payload of frame %d differs from byte %d on", f.Number(), differs(f.Payload(), due.Payload))
	}
	return nil
}

func differs(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// observe lets a fresh observer read from the oldest frame to the end. It may miss
// frames and says so; the last one committed it must see, unless that is given up
// already.
func (c *Checker) observe() error {
	copy(c.scratch.observed, c.segment)
	segment, err := ring.Open(c.scratch.observed)
	if err != nil {
		return err
	}
	wait := func(context.Context, uint64) error { return errAsleep }
	o, err := ring.NewObserver(segment, ring.ObserverConfig{Start: proto.StartOldest, Wait: wait})
	if err != nil {
		return err
	}
	next := -1
	for {
		f, err := o.Next(context.Background())
		if errors.Is(err, errAsleep) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		n := f.Number()
		if n >= uint64(c.visible) {
			return fmt.Errorf("frame %d, where %d are visible", n, c.visible)
		}
		if next >= 0 && n != uint64(next)+f.Lost() {
			return fmt.Errorf("frame %d with %d lost, after frame %d", n, f.Lost(), next-1)
		}
		if err := c.compare(f, &c.script.Frames[n]); err != nil {
			return err
		}
		next = int(n) + 1
	}
	if c.visible == 0 || next == c.visible {
		return nil
	}
	last := &c.script.Frames[c.visible-1]
	if limit := le.Uint64(c.segment[c.script.ID.WriterOff+proto.WrLimit:]); next < 0 && int64(limit-last.First) > int64(c.script.Capacity) {
		return nil
	}
	return fmt.Errorf("ends after %d of %d frames", next, c.visible)
}
