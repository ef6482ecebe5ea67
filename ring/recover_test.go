package ring_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// revive starts a successor on a copy of the segment, as after the death of the
// writer at this instant. recovered says whether it inherits the reader table.
func (p *pair) revive(t testing.TB, recovered bool) (*pair, error) {
	t.Helper()
	q := &pair{wb: newBell(), mem: cloneAligned(p.mem)}
	var err error
	if q.seg, err = ring.Open(q.mem); err != nil {
		t.Fatal(err)
	}
	id := q.seg.Identity()
	q.tab = aligned(proto.TableBytes(id.Slots))
	if q.table, err = ring.FormatTable(q.tab, id, q.seg.State().Epoch+1); err != nil {
		t.Fatal(err)
	}
	cfg := ring.WriterConfig{Sleeper: awake{}}
	if recovered {
		if cfg.Recovered, err = ring.OpenTable(cloneAligned(p.tab), id); err != nil {
			t.Fatal(err)
		}
	}
	q.w, err = ring.NewWriter(q.seg, q.table, cfg)
	return q, err
}

func (p *pair) mustRevive(t testing.TB, recovered bool) *pair {
	t.Helper()
	q, err := p.revive(t, recovered)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Check that a writer may die between its two stores of frame number and tail: the
// number is then newer than the tail.
func TestRecoverNumberNewerThanTail(t *testing.T) {
	p := newStill(t, nil)
	for i := range 8 {
		p.put(t, 40, uint64(i))
	}
	old := p.seg.State().Tail
	for i := range 40 {
		p.put(t, 40, uint64(8+i))
	}
	if s := p.seg.State(); s.Tail == old || s.Number < 20 {
		t.Fatalf("tail still %d, number %d", s.Tail, s.Number)
	}
	setWriterWord(p.mem, proto.WrTail, old)
	q := p.mustRevive(t, true)
	q.put(t, 40, 48)
	r, _ := q.attachAt(t, ring.Attach{Start: proto.StartOldest})
	for i := range 49 {
		if f := next(t, r); f.Number() != uint64(i) || !stamped(f.Payload(), uint64(i)) {
			t.Fatalf("frame %d where %d is due", f.Number(), i)
		}
	}
}

// halfRing is two frames that together take half of a small ring.
func halfRing() []proto.Header {
	h := proto.Header{DType: proto.U8, NDim: 1, Shape: [8]uint64{smallBytes/4 - proto.BaseBytes}}
	return []proto.Header{h, h}
}

// Check that the shared tail never falls out of the ring: an open group with its
// padding may take all of it, frames behind the tail included.
func TestTailFollowsLimitOfLargeGroup(t *testing.T) {
	p := newStill(t, nil)
	seed := uint64(0)
	for ; p.w.Segment().State().Tail < smallBytes/2 || p.word(smallBytes/2+64) == 0; seed++ {
		p.put(t, 40, seed)
		take(t, p.r, 40, seed)
	}
	g, err := p.w.ClaimGroup(context.Background(), halfRing())
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Len() {
		stamp(g.Payload(i), 99)
	}
	s := p.seg.State()
	if int64(s.Limit-s.Tail) > smallBytes {
		t.Errorf("tail %d, limit %d", s.Tail, s.Limit)
	}
	q := p.mustRevive(t, false)
	r, _ := q.attachAt(t, ring.Attach{Start: proto.StartOldest})
	mustWait(t, r)
	q.put(t, 40, seed)
	if f := next(t, r); f.Number() != seed {
		t.Fatalf("frame %d, want %d", f.Number(), seed)
	}
}

// Check that a writer may die after any step of any history: what was committed
// arrives at a reader that returns to its place, once and in order, then what its
// successor writes, and numbers go on.
func TestRecoverAfterEveryStep(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 2))
	for _, start := range []uint64{0, 1<<63 - smallBytes/2, 1<<64 - smallBytes/2} {
		p := newStill(t, startAt(start))
		committed, read := uint64(0), uint64(0)
		check := func() {
			t.Helper()
			q := p.mustRevive(t, true)
			got, err := q.w.Reattach(0, 1, p.r.Position(), ring.Attach{})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			r := q.reader(t, got, ring.ReaderConfig{Sleeper: awake{}, WriterBell: awake{}})
			drain(t, r, read, committed)
			mustWait(t, r)
			q.put(t, 40, committed)
			drain(t, r, committed, committed+1)
			if s := q.seg.State(); s.Epoch != 2 {
				t.Fatalf("epoch %d", s.Epoch)
			}
		}
		for range 300 {
			commit, abort, payloads, err := (&model{}).claim(p, rnd.Uint32N(3), rnd.IntN([]int{100, 3000, smallBytes / 4}[rnd.IntN(3)]), 1+rnd.IntN(4))
			if err == nil && payloads != nil {
				check()
				for i, b := range payloads {
					poison(p, b)
					check()
					stamp(b, committed+uint64(i))
				}
				if rnd.IntN(8) == 0 {
					abort()
				} else {
					commit()
					committed += uint64(len(payloads))
				}
				check()
			}
			for n := rnd.Uint64N(6); n > 0 && read < committed || committed-read > 8; n-- {
				drain(t, p.r, read, read+1)
				read++
				check()
			}
		}
	}
}

// Check that what no writer leaves behind is refused: a broken header under a commit
// word, a number that jumps, a word that is no commit, a tail outside the ring.
func TestRecoverRefusesCorruption(t *testing.T) {
	for name, damage := range map[string]func(p *pair, tail uint64){
		"dtype":        func(p *pair, tail uint64) { p.at(tail)[proto.FrDescribe+6] = 99 },
		"length":       func(p *pair, tail uint64) { p.at(tail)[proto.FrDescribe+3] = 99 },
		"number":       func(p *pair, tail uint64) { p.at(tail + 64)[proto.FrNumber]++ },
		"first number": func(p *pair, tail uint64) { p.at(tail)[proto.FrNumber+5]++ },
		"word":         func(p *pair, tail uint64) { le.PutUint64(p.at(tail+64), 7) },
		"tail":         func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrTail, tail+1<<20) },
		"tail's line":  func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrTail, tail+8) },
		"limit":        func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrLimit, tail+1<<20) },
		"low limit":    func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrLimit, tail-64) },
	} {
		p := newStill(t, nil)
		for i := uint64(0); i < 20 || p.seg.State().Tail+4*64 != p.seg.Tail(); i++ {
			p.put(t, 40, i)
		}
		if _, err := p.revive(t, true); err != nil {
			t.Fatal(err)
		}
		damage(p, p.seg.State().Tail)
		if _, err := p.revive(t, true); !errors.Is(err, ring.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Check that a successor with a table of another epoch or size is refused, and that it
// passes by cursors that no reader can have.
func TestRecoverChecksTables(t *testing.T) {
	p := newStill(t, nil)
	n := uint64(0)
	for ; n < 3000; n++ {
		p.put(t, 40, n)
		take(t, p.r, 40, n)
	}
	id := p.seg.Identity()
	for _, epoch := range []uint64{0, 1, 3} {
		table, err := ring.FormatTable(aligned(proto.TableBytes(id.Slots)), id, epoch)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ring.NewWriter(p.seg, table, ring.WriterConfig{})
		wantErr(t, err, ring.ErrSlot)
	}
	for _, cursor := range []uint64{0, n*64 + 64, n*64 - 8, 1 << 63, n*64 - smallBytes - 64} {
		p.setCursor(0, cursor)
		q := p.mustRevive(t, true)
		if v := q.table.Slot(0); v.State != proto.SlotFree {
			t.Errorf("cursor %d: slot %+v", cursor, v)
		}
		q.put(t, smallBytes/4, 0)
	}
	p.setCursor(0, n*64-640)
	q := p.mustRevive(t, true)
	if v := q.table.Slot(0); v.State != proto.SlotLost || v.Generation != 1 || v.Cursor != n*64-640 {
		t.Fatalf("slot %+v", v)
	}
	q.fillUp(t, n)
	mustBlock(t, q.w, 40)
	q.w.Detach(0)
	q.put(t, smallBytes/4, 0)
}
