package ring_test

import (
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a ring whose writer died while it waited for somebody to end the ring
// goes on, without an end, and that one which owes nothing does not.
func TestEndedRingThatOwesFramesGoesOn(t *testing.T) {
	const frames = 8
	for _, c := range []struct {
		name   string
		attach bool
		cursor uint64 // of the reader
		table  bool   // is left
		owes   bool
	}{
		{"no reader ever came", false, 0, true, true},
		{"a reader is at the start", true, 0, true, true},
		{"a reader is behind", true, 64, true, true},
		{"a reader is at the end", true, frames * 64, true, false},
		{"a reader is where none can be", true, frames*64 + 64, true, false},
		{"a reader came, the table is gone", true, 64, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
			for i := range frames {
				p.put(t, 40, uint64(i))
			}
			if c.attach {
				p.attach(t, 0)
				p.setCursor(0, c.cursor)
			}
			p.w.Finish()
			q, err := p.revive(t, c.table)
			if !c.owes {
				wantErr(t, err, ring.ErrFinished)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := q.seg.State(); s.Ended || s.Epoch != 2 || s.Tail != frames*64 || s.Number != frames {
				t.Errorf("it goes on as %+v", s)
			}
			q.put(t, 40, frames)
			q.w.Finish()
			if s := q.seg.State(); !s.Ended || s.Final != (frames+1)*64 {
				t.Errorf("it ends as %+v", s)
			}
		})
	}
}

// Check that an ended ring that runs free, or that holds nothing, owes nothing.
func TestEndedRingOwesNobody(t *testing.T) {
	free := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}, FreeRun: true})
	free.put(t, 40, 1)
	for name, p := range map[string]*pair{
		"free": free, "empty": newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}}),
	} {
		p.w.Finish()
		if p.seg.Owes(nil) {
			t.Errorf("%s: it owes frames", name)
		}
	}
}
