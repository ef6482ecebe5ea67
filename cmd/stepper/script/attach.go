package script

import (
	"errors"
	"fmt"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// attach adds a reader and returns its index. It starts at frame first, which
// counts for proto.StartPosition only.
func (s *Script) attach(start proto.Start, first int, evictMs uint32) int {
	i := s.readers
	s.readers++
	a := ring.Attach{Info: proto.SlotInfo{Name: fmt.Sprint("reader-", i), EvictMs: evictMs}, Start: start}
	if start == proto.StartPosition {
		a.Position = s.Frames[first].At
	}
	s.op("attach", 0, func(p *Player) error { return p.attach(a) })
	return i
}

// detach adds the end of a reader.
func (s *Script) detach(i int) {
	s.op("detach", 0, func(p *Player) error { p.w.Detach(p.readers[i].slot); return nil })
}

// lose adds a reader's death; its slot stays for it.
func (s *Script) lose(i int) {
	s.op("lose", 0, func(p *Player) error { p.w.Lose(p.readers[i].slot); return nil })
}

// reattach adds a reader's return to its slot.
func (s *Script) reattach(i int) {
	s.op("reattach", 0, func(p *Player) error { return p.reattach(p.readers[i]) })
}

// released adds a release that the writer carries out for a reader in stream mode,
// of all that is committed.
func (s *Script) released(i int) {
	end := s.End(len(s.Frames))
	s.op("released", 0, func(p *Player) error {
		r := p.readers[i]
		if err := p.w.Released(r.slot, end); err != nil {
			return err
		}
		return r.r.Rebind(p.readerConfig(r, end))
	})
}

// evicts adds a claim that waits until it evicts reader i, and that frame's write
// and commit.
func (s *Script) evicts(i int, h proto.Header) {
	f := s.Add(h)[0]
	s.op("evict", 0, func(p *Player) error {
		p.asleep = func() error { p.skew += evictStep; return nil }
		err := p.claimFrame(&f)
		p.asleep = nil
		if err == nil && p.w.Segment().State().Evictions == 0 {
			err = errors.New("nobody was evicted")
		}
		return err
	})
	s.op("write", 0, func(p *Player) error { return p.fill(p.claim.Payload(), &f) })
	s.op(commitPath(&f), 1, func(p *Player) error { p.claim.Commit(); return nil })
}

// blocked adds a claim that waits until reader i has taken n frames, and that
// frame's write and commit.
func (s *Script) blocked(i, n int, h proto.Header) {
	f := s.Add(h)[0]
	s.op("blocked claim", 0, func(p *Player) error {
		slept := false
		p.asleep = func() error { slept = true; return p.read(i, n) }
		err := p.claimFrame(&f)
		p.asleep = nil
		if err == nil && !slept {
			err = errors.New("the claim did not wait")
		}
		return err
	})
	s.op("write", 0, func(p *Player) error { return p.fill(p.claim.Payload(), &f) })
	s.op(commitPath(&f), 1, func(p *Player) error { p.claim.Commit(); return nil })
}

// dropped adds a claim that finds the ring full and is refused.
func (s *Script) dropped(h proto.Header) {
	s.op("drop", 0, func(p *Player) error {
		_, err := p.w.ClaimFrame(p.ctx, &h)
		if !errors.Is(err, ring.ErrDropped) {
			return fmt.Errorf("claim in a full ring: %w, want a drop", err)
		}
		return nil
	})
}

// wakes adds a frame that is committed while reader i sleeps, which then takes it.
func (s *Script) wakes(i int, h proto.Header) {
	f := s.Add(h)[0]
	s.op("claim", 0, func(p *Player) error { return p.claimFrame(&f) })
	s.op("write", 0, func(p *Player) error { return p.fill(p.claim.Payload(), &f) })
	s.op("commit wakes", 1, func(p *Player) error {
		p.readers[i].asleep = func() error { p.claim.Commit(); return nil }
		return p.read(i, 1)
	})
}

// recover adds the takeover by a new writer, as after a death right here: whatever
// is claimed is left as it lies.
func (s *Script) recover() {
	s.op("recover", 0, func(p *Player) error { return p.takeOver(s.FreeRun) })
}

// finish adds the end of the ring, with every reader at its end.
func (s *Script) finish() {
	s.op("finish", 0, func(p *Player) error { p.w.Finish(); return p.w.Drain(p.ctx) })
}
