package check

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// successor is a fresh writer on a copy, with every reader that returned to it.
type successor struct {
	c       *Checker
	ledger  script.Ledger
	w       *ring.Writer
	table   *ring.Table
	segment *ring.Segment
	readers []*follower
}

// follower is one reader of a successor, and the index of its next frame.
type follower struct {
	r    *ring.Reader
	next int
}

// succeed lets a fresh writer take the copy over, as after a death at this very
// instruction. A ring that has ended takes none, unless it owes frames.
func (c *Checker) succeed() error {
	s := &successor{c: c, ledger: script.Ledger{Capacity: c.script.Capacity, Start: c.script.Start}}
	s.ledger.Frames = append(s.ledger.Frames, c.script.Frames[:c.visible]...)
	err := s.takeOver()
	if c.last.final != 0 && !c.Owed {
		if !errors.Is(err, ring.ErrFinished) {
			return fmt.Errorf("of a ring that has ended: %v, want %w", err, ring.ErrFinished)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return s.goOn()
}

// takeOver makes the writer and brings back every reader of the old table.
func (s *successor) takeOver() (err error) {
	c := s.c
	copy(c.scratch.writing, c.segment)
	copy(c.scratch.older, c.table)
	clear(c.scratch.newer)
	if s.segment, err = ring.Open(c.scratch.writing); err != nil {
		return err
	}
	id := s.segment.Identity()
	old, err := ring.OpenTable(c.scratch.older, id)
	if err != nil {
		return err
	}
	if s.table, err = ring.FormatTable(c.scratch.newer, id, s.segment.State().Epoch+1); err != nil {
		return err
	}
	s.w, err = ring.NewWriter(s.segment, s.table, ring.WriterConfig{Sleeper: asleep{}, FreeRun: c.script.FreeRun, Recovered: old})
	if err != nil {
		return err
	}
	if end := c.script.End(c.visible); s.w.Position() != end {
		return fmt.Errorf("goes on at %d, committed frames end at %d", s.w.Position(), end)
	}
	for i := range old.Slots() {
		if v := old.Slot(i); gating(v) {
			if err := s.bringBack(i, v); err != nil {
				return fmt.Errorf("reader %q: %w", v.Name, err)
			}
		}
	}
	return s.newcomer()
}

// bringBack returns the reader of slot i to its place.
func (s *successor) bringBack(i int, v ring.SlotView) error {
	got, err := s.w.Reattach(i, v.Generation, v.Cursor, ring.Attach{Bell: asleep{}})
	if err != nil {
		return err
	}
	return s.follow(got)
}

// newcomer attaches a reader at the oldest frame, if a slot is free.
func (s *successor) newcomer() error {
	got, err := s.w.Attach(ring.Attach{Start: proto.StartOldest, Bell: asleep{}})
	if errors.Is(err, ring.ErrTableFull) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("newcomer: %w", err)
	}
	return s.follow(got)
}

// follow makes a reader of an attachment and has it read all that is committed.
func (s *successor) follow(got ring.Attached) error {
	first, err := s.ledger.IndexAt(got.Start)
	if err != nil {
		return err
	}
	r, err := ring.NewReader(s.segment, ring.ReaderConfig{
		Table: s.table, Slot: got.Slot, Generation: got.Generation, Position: got.Start, Sleeper: asleep{}, WriterBell: asleep{},
	})
	if err != nil {
		return err
	}
	f := &follower{r: r, next: first}
	s.readers = append(s.readers, f)
	return s.catchUp(f)
}

// catchUp has a reader read to the end, which must be the ledger's.
func (s *successor) catchUp(f *follower) (err error) {
	if f.next, err = s.c.follow(f.r, s.ledger.Frames, f.next); err != nil {
		return err
	}
	if due := len(s.ledger.Frames); f.next != due {
		return fmt.Errorf("stands before frame %d, due are %d", f.next, due)
	}
	return nil
}

// goOn writes more than a lap of frames of every kind, which all readers follow to
// the end of the ring.
func (s *successor) goOn() error {
	u8 := func(n uint64) proto.Header { return proto.Header{DType: proto.U8, NDim: 1, Shape: [8]uint64{n}} }
	grid := proto.Header{DType: proto.U8, NDim: 2, Shape: [8]uint64{5, 30}}
	quarter := u8(s.c.script.Capacity/4 - 200)
	for _, heads := range [][]proto.Header{{u8(40)}, {grid}, {u8(40), grid, u8(40)}, {quarter}, {u8(100)}, {quarter}, {quarter}, {u8(40), u8(7)}, {quarter}, {quarter}, {u8(40)}} {
		if err := s.put(heads); err != nil {
			return err
		}
		for _, f := range s.readers {
			if err := s.catchUp(f); err != nil {
				return fmt.Errorf("afterwards: %w", err)
			}
		}
	}
	s.w.Finish()
	for _, f := range s.readers {
		if _, err := f.r.Next(context.Background()); err != io.EOF {
			return fmt.Errorf("at the end of the ring: %v, want %w", err, io.EOF)
		}
	}
	return nil
}

func (s *successor) put(heads []proto.Header) error {
	g, err := s.w.ClaimGroup(context.Background(), heads)
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	for i, f := range s.ledger.Add(heads...) {
		copy(g.Payload(i), f.Payload)
	}
	g.Commit()
	return nil
}
