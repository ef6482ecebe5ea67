package ring_test

import (
	"context"
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
