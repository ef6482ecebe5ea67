package ring_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that frames of every size class cross the wrap at every distance from it,
// around positions where 64-bit numbers change sign or wrap.
func TestEveryDistanceFromTheWrap(t *testing.T) {
	for _, start := range []uint64{0, 1<<63 - smallBytes, 1<<64 - 2*smallBytes} {
		p := newStill(t, startAt(start))
		seed, fillers := uint64(0), uint64(0)
		send := func(n int) {
			p.put(t, n, seed)
			take(t, p.r, n, seed)
			seed++
		}
		for line := uint64(1); line <= smallBytes/64; line += 3 {
			for _, n := range []int{0, 40, 41, 104, 1000, smallBytes / 4} {
				for {
					left := (smallBytes - 64*line - p.r.Position()) % smallBytes
					if left == 0 {
						break
					}
					mustFit(t, p.w, int(min(left, smallBytes/4, smallBytes-p.r.Position()%smallBytes))-proto.BaseBytes).Commit()
					next(t, p.r)
					if err := p.r.Release(); err != nil {
						t.Fatal(err)
					}
					fillers++
				}
				send(n)
			}
		}
		mustWait(t, p.r)
		if got := p.seg.State().Number; got > seed+fillers {
			t.Fatalf("%d frames sent, number %d", seed+fillers, got)
		}
	}
}

// Check that arrays like the one before are described as ever behind the wrap, also when
// a frame of another sort was claimed in between.
func TestLikeFramesBehindTheWrap(t *testing.T) {
	ctx, p := context.Background(), newStill(t, nil)
	const items = smallBytes/4/4 - 24
	wraps := 0
	for i := range uint64(12) {
		if i%5 == 4 {
			c, err := p.w.Claim(ctx, proto.I16, 2, 3)
			if err != nil {
				t.Fatal(err)
			}
			c.Abort()
		}
		c, err := p.w.Claim(ctx, proto.F32, items)
		if err != nil {
			t.Fatal(err)
		}
		a, err := c.Array()
		if err != nil || a.DType() != proto.F32 || a.NDim() != 1 || a.Dim(0) != items || c.Float64s() != nil {
			t.Fatalf("claim %d: %v, %v", i, a, err)
		}
		before := p.w.Position()
		stamp(c.Payload(), i)
		c.Commit()
		f := next(t, p.r)
		h := f.Header()
		if f.Number() != i || h.DType != proto.F32 || h.NDim != 1 || h.Shape[0] != items || !stamped(f.Payload(), i) {
			t.Fatalf("frame %d: %+v", i, h)
		}
		if f.Position() != before {
			wraps++
		}
		if err := p.r.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if wraps < 2 {
		t.Fatalf("%d wraps with padding", wraps)
	}
}

// Check that a group with padding before it that takes the whole ring fits once all is
// released, and not a line earlier.
func TestGroupOfTheWholeRing(t *testing.T) {
	p := newStill(t, nil)
	for i := range uint64(smallBytes/2/64 + 1) {
		p.put(t, 40, i)
		if i < smallBytes/2/64 {
			take(t, p.r, 40, i)
		}
	}
	_, err := p.w.ClaimGroup(context.Background(), halfRing())
	wantErr(t, err, errAsleep)
	take(t, p.r, 40, smallBytes/2/64)
	g, err := p.w.ClaimGroup(context.Background(), halfRing())
	if err != nil {
		t.Fatal(err)
	}
	stamp(g.Payload(0), 1)
	stamp(g.Payload(1), 2)
	g.Commit()
	mustBlock(t, p.w, 0)
	take(t, p.r, len(g.Payload(0)), 1)
	take(t, p.r, len(g.Payload(1)), 2)
	mustWait(t, p.r)
	p.put(t, 40, 3)
	take(t, p.r, 40, 3)
}

// Check that the word after a full ring's last frame stays inside what is free: the
// oldest frame, not yet released, keeps its commit word, and the ring goes on.
func TestFullRingKeepsOldestCommitWord(t *testing.T) {
	for _, start := range []uint64{0, 192, 1<<64 - smallBytes} {
		p := newStill(t, startAt(start))
		n := p.fillUp(t, 0)
		for range 3 {
			if word := p.word(start); word != start|uint64(proto.KindData) {
				t.Fatalf("start %d: oldest commit word is %#x", start, word)
			}
			drain(t, p.r, n-(smallBytes/64-1), n)
			mustWait(t, p.r)
			start = p.seg.Tail()
			n = p.fillUp(t, n)
		}
	}
}

// Check that old payload never poses as a commit: payloads full of the commit words
// that later laps will have at their places are followed by frames that end anywhere
// on them.
func TestOldPayloadNeverPosesAsCommit(t *testing.T) {
	p := newStill(t, nil)
	heads := []proto.Header{
		{DType: proto.U8, NDim: 1, Shape: [8]uint64{100}},
		{DType: proto.U8, NDim: 2, Shape: [8]uint64{3, 40}},
		{DType: proto.U8, NDim: 1, Shape: [8]uint64{0}},
	}
	number := uint64(0)
	expect := func(frames uint64) {
		t.Helper()
		for range frames {
			if f := next(t, p.r); f.Number() != number {
				t.Fatalf("frame %d, want %d", f.Number(), number)
			}
			number++
		}
		mustWait(t, p.r)
	}
	for i := range 4000 {
		switch i % 5 {
		case 0, 1:
			c := mustFit(t, p.w, 4000+(i*64)%9000)
			poison(p, c.Payload())
			c.Commit()
			expect(1)
		case 2:
			p.put(t, (i*41)%700, 0)
			expect(1)
		case 3:
			g, err := p.w.ClaimGroup(context.Background(), heads)
			if err != nil {
				t.Fatal(err)
			}
			g.Commit()
			expect(3)
		case 4:
			b, err := p.w.ClaimBatch(context.Background(), proto.U8, i%150, 1+i%9)
			if err != nil {
				t.Fatal(err)
			}
			n := b.Len()
			b.Commit()
			expect(uint64(n))
		}
	}
}

// publishing is what makes one or more claimed frames visible.
type publishing struct {
	name  string
	claim func(*pair) (commit func(), err error)
}

func publishings() []publishing {
	ctx := context.Background()
	return []publishing{
		{"inline", func(p *pair) (func(), error) {
			c, err := p.w.Claim(ctx, proto.U8, 100)
			return c.Commit, err
		}},
		{"extended", func(p *pair) (func(), error) {
			c, err := p.w.Claim(ctx, proto.U8, 10, 10)
			return c.Commit, err
		}},
		{"large", func(p *pair) (func(), error) {
			c, err := p.w.Claim(ctx, proto.U8, smallBytes/4)
			return c.Commit, err
		}},
		{"group", func(p *pair) (func(), error) {
			g, err := p.w.ClaimGroup(ctx, halfRing())
			return g.Commit, err
		}},
		{"batch", func(p *pair) (func(), error) {
			b, err := p.w.ClaimBatch(ctx, proto.U8, 40, 1)
			if err != nil || p.seg.Tail()%smallBytes > smallBytes-5*64 {
				return b.Commit, err
			}
			b.Abort()
			b, err = p.w.ClaimBatch(ctx, proto.U8, 40, 4)
			return b.Commit, err
		}},
	}
}

// Check that exactly one store makes a commit visible, that of the word at the tail
// before it: whichever of the other stores have happened, a reader sees nothing and a
// successor finds the ring as it was.
func TestOneStorePublishes(t *testing.T) {
	for _, pub := range publishings() {
		for _, lines := range []uint64{100, 2, 1, 515} { // lines before the wrap
			p := newStill(t, nil)
			n := uint64(0)
			for ; p.seg.Tail()%smallBytes != smallBytes-64*lines || n < 1200; n++ {
				p.put(t, 40, n)
				take(t, p.r, 40, n)
			}
			commit, err := pub.claim(p)
			if err != nil {
				t.Fatal(err)
			}
			tail := p.seg.Tail()
			before := bytes.Clone(p.mem)
			commit()
			after := bytes.Clone(p.mem)
			for _, torn := range tornStates(before, after, p, tail) {
				copy(p.mem, torn)
				mustWait(t, p.r)
				if end := p.seg.Tail(); end != tail {
					t.Fatalf("%s, %d lines: %d is committed already", pub.name, lines, end-tail)
				}
				q := p.mustRevive(t, false)
				if s := q.seg.State(); s.Tail != tail || s.Number != n {
					t.Fatalf("%s, %d lines: recovered to %d and %d, want %d and %d", pub.name, lines, s.Tail, s.Number, tail, n)
				}
			}
			copy(p.mem, after)
			for want := p.frames(tail); want > 0; want-- {
				if f := next(t, p.r); f.Number() != n {
					t.Fatalf("%s: frame %d, want %d", pub.name, f.Number(), n)
				}
				n++
			}
			mustWait(t, p.r)
		}
	}
}

// frames counts what is committed from position on.
func (p *pair) frames(position uint64) int {
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartPosition, Position: position, Wait: asleep})
	if err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		if _, err := o.Next(context.Background()); err != nil {
			return n
		}
	}
}

// tornStates are states between before and after in which any of the changed words of
// the data region but that at tail may have been stored.
func tornStates(before, after []byte, p *pair, tail uint64) [][]byte {
	var changed []int
	data := int(p.seg.Identity().DataOff)
	skip := data + int(tail&(smallBytes-1))
	for at := data; at < len(before); at += 8 {
		if at != skip && !bytes.Equal(before[at:at+8], after[at:at+8]) {
			changed = append(changed, at)
		}
	}
	var states [][]byte
	for pick := 1; pick < 64; pick++ {
		torn := bytes.Clone(before)
		for i, at := range changed {
			if pick == 63 || pick>>(i%6)&1 == 1 {
				copy(torn[at:at+8], after[at:at+8])
			}
		}
		states = append(states, torn)
	}
	return states
}

// Check that the frames of a batch are ordinary frames, read singly or as a batch,
// whatever its length, around the wrap too.
func TestBatches(t *testing.T) {
	for _, size := range []int{0, 40, 41, 200} {
		p := newStill(t, nil)
		written, read := uint64(0), uint64(0)
		for i := range 3000 {
			b, err := p.w.ClaimBatch(context.Background(), proto.U8, size, 1+i%70)
			if err != nil {
				t.Fatal(err)
			}
			for j := range b.Len() {
				stamp(b.Payload(j), written+uint64(j))
			}
			if i%11 == 5 {
				b.Abort()
				mustWait(t, p.r)
				continue
			}
			b.Commit()
			written += uint64(b.Len())
			if i%3 == 0 {
				drain(t, p.r, read, written)
				read = written
				continue
			}
			for read < written {
				rb, err := p.r.NextBatch(context.Background(), 1+i%9)
				if err != nil {
					t.Fatal(err)
				}
				for j := range rb.Len() {
					if rb.Number(j) != read || !stamped(rb.Payload(j), read) || len(rb.Payload(j)) != size {
						t.Fatalf("batch of %d: frame %d is number %d, want %d", rb.Len(), j, rb.Number(j), read)
					}
					read++
				}
				if err := p.r.Release(); err != nil {
					t.Fatal(err)
				}
			}
			mustWait(t, p.r)
		}
	}
}

// Check that a batch of reading ends where frames of another description begin.
func TestReadBatchEndsAtOtherFrames(t *testing.T) {
	p := newStill(t, nil)
	for range 3 {
		p.put(t, 40, 0)
	}
	p.put(t, 41, 0)
	c, err := p.w.Claim(context.Background(), proto.U8, 4, 10)
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
	for range 2 {
		p.put(t, 40, 0)
	}
	for _, want := range []int{2, 1, 1, 1, 2} {
		b, err := p.r.NextBatch(context.Background(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if b.Len() != want {
			t.Fatalf("batch from frame %d has %d, want %d", b.Number(0), b.Len(), want)
		}
	}
}
