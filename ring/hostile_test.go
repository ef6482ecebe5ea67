package ring_test

import (
	"context"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a first frame whose description has every bit set is refused: it is
// the one that no reader may take for a description it has seen before.
func TestReaderRefusesDescriptionOfOnes(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 40, 0)
	le.PutUint64(p.at(0)[proto.FrDescribe:], ^uint64(0))
	f, err := p.r.Next(context.Background())
	if err == nil {
		t.Fatalf("frame of %d bytes ending at %d", len(f.Payload()), f.End())
	}
	wantErr(t, err, ring.ErrCorrupt)
	_, err = p.r.Next(context.Background())
	wantErr(t, err, ring.ErrCorrupt)
}

// Check that a reader refuses a position that starts no line, which would have it
// read words across the end of the segment.
func TestReaderRefusesUnalignedPosition(t *testing.T) {
	p := newStill(t, nil)
	_, err := ring.NewReader(p.seg, ring.ReaderConfig{Table: p.table, Position: smallBytes - 4})
	wantErr(t, err, ring.ErrNoPosition)
	_, err = ring.NewStreamReader(p.seg, smallBytes-4, told(smallBytes)).Next(context.Background())
	wantErr(t, err, ring.ErrNoPosition)
}

// Check that a reader and an observer whose next frame was zeroed, as a hole punched
// into the file does it, are told so and do not wait for it for ever.
func TestVanishedFrame(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 40, 0)
	p.put(t, 40, 1)
	p.w.Finish()
	take(t, p.r, 40, 0)
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartPosition, Position: 64, Wait: asleep})
	wantErr(t, err, nil)
	le.PutUint64(p.at(64), 0)
	_, err = p.r.Next(context.Background())
	wantErr(t, err, ring.ErrCorrupt)
	_, err = o.Next(context.Background())
	wantErr(t, err, ring.ErrCorrupt)
}

// told announces one position and drops releases.
type told uint64

func (a told) Await(context.Context, uint64) (uint64, error) { return uint64(a), nil }
func (told) Released(uint64)                                 {}

// Check that an observer of a segment whose words were made up returns an error or
// the end instead of looking for a frame for ever.
func TestObserverEndsOnHostileWords(t *testing.T) {
	for _, words := range []struct{ limit, tail uint64 }{
		{limit: 1 << 62, tail: 64},
		{limit: 1 << 62, tail: 1 << 62},
		{limit: smallBytes + 128, tail: 64},
		{limit: 64, tail: 1 << 40},
		{limit: 64, tail: 1 << 61},
		{limit: 1 << 63, tail: 0},
	} {
		for _, start := range []proto.Start{proto.StartOldest, proto.StartLatest, proto.StartPosition} {
			p := newStill(t, nil)
			p.put(t, 40, 0)
			setWriterWord(p.mem, proto.WrLimit, words.limit)
			setWriterWord(p.mem, proto.WrTail, words.tail)
			o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: start, Position: 1 << 61, Wait: asleep})
			for n := 0; err == nil; n++ {
				if n > 2 {
					t.Fatalf("limit %d, tail %d, start %d: more frames than were written", words.limit, words.tail, start)
				}
				_, err = o.Next(context.Background())
			}
		}
	}
}

// Check that an unaligned shared tail leads nobody to read across the end of the
// segment.
func TestUnalignedTailIsRounded(t *testing.T) {
	p := newStill(t, nil)
	setWriterWord(p.mem, proto.WrTail, smallBytes-4)
	setWriterWord(p.mem, proto.WrLimit, 2*smallBytes)
	for _, at := range []uint64{p.seg.Tail(), p.seg.Oldest()} {
		if at%proto.LineBytes != 0 {
			t.Errorf("position %d", at)
		}
	}
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartLatest, Wait: asleep})
	if err != nil || o.Position()%proto.LineBytes != 0 {
		t.Fatalf("observer at %d: %v", o.Position(), err)
	}
}

// asleep is the Wait of an observer that never sleeps.
func asleep(context.Context, uint64) error { return errAsleep }

// Check that a cursor that goes back, passes the writer, or leaves the lines costs its
// reader its hold and is reported, and that no other reader suffers.
func TestHostileCursorIsDismissed(t *testing.T) {
	for _, cursor := range []uint64{64 * 99, 64 * 201, 64*150 + 8, 1 << 63, ^uint64(0) &^ 63} {
		var codes []proto.Code
		var slots []int
		var generations []uint32
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{
			Sleeper: awake{},
			OnEvict: func(i int, generation uint32, c proto.Code) {
				slots, generations, codes = append(slots, i), append(generations, generation), append(codes, c)
			},
		})
		honest, _ := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
		_, at := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
		for range 3 { // generation 4 has the slot
			p.w.Detach(at.Slot)
			_, at = p.attachAt(t, ring.Attach{Start: proto.StartOldest})
		}
		for i := range uint64(200) {
			p.put(t, 40, i)
		}
		drain(t, honest, 0, 150)
		p.setCursor(at.Slot, 64*100)
		n := p.fillUp(t, 200) // the writer has seen 100
		p.setCursor(at.Slot, cursor)
		if cursor == 64*201 {
			p.setCursor(at.Slot, n*64+64)
		}
		n = p.fillUp(t, n)
		if len(codes) != 1 || codes[0] != proto.CodeCursor || slots[0] != at.Slot || generations[0] != 4 {
			t.Fatalf("cursor %d: codes %v of slots %v, generations %v", cursor, codes, slots, generations)
		}
		drain(t, honest, 150, n)
	}
}

// Check that a frame described like the one before it is not taken across the wrap.
func TestLikeFrameAcrossTheWrapIsRefused(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 200, 0)
	take(t, p.r, 200, 0)
	last := uint64(smallBytes - 64)
	copy(p.at(last), p.at(0)[:64])
	le.PutUint64(p.at(last), last|uint64(proto.KindData))
	r, err := ring.NewReader(p.seg, ring.ReaderConfig{Table: p.table, Position: 0, Sleeper: awake{}, WriterBell: awake{}})
	if err != nil {
		t.Fatal(err)
	}
	take(t, r, 200, 0)
	if err := r.Rebind(ring.ReaderConfig{Table: p.table, Position: last, Sleeper: awake{}, WriterBell: awake{}}); err != nil {
		t.Fatal(err)
	}
	_, err = r.Next(context.Background())
	wantErr(t, err, ring.ErrCorrupt)
}

// Check that parked words that nobody stored honestly cost a ring of a bell at most.
func TestHostileParkedWords(t *testing.T) {
	p := newPair(t, smallBytes, 0)
	for i := range uint64(3000) {
		le.PutUint64(p.tab[proto.TbReadersParked:], i*0x0101010101010101)
		le.PutUint64(p.tab[proto.TbWriterParked:], i*0x9e3779b97f4a7c15)
		le.PutUint64(p.tab[proto.TableHeadBytes+proto.SlParked:], ^i)
		p.put(t, 40, i)
		take(t, p.r, 40, i)
	}
}

// Check that a writer that waits for a reader tells it, by the tail, that the frame
// it waits for was there, although frame and tail were zeroed.
func TestTailStoredWhileBlocked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var p *pair
	naps := 0
	p = newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: sleeps(func() {
		if naps++; naps > 1 {
			cancel()
			return
		}
		setWriterWord(p.mem, proto.WrTail, 0)
		le.PutUint64(p.at(64), 0)
	})})
	r := p.attach(t, 0)
	p.put(t, 40, 0)
	take(t, r, 40, 0)
	var err error
	for err == nil {
		var c *ring.Claim
		if c, err = p.w.Claim(ctx, proto.U8, 40); err == nil {
			c.Commit()
		}
	}
	wantErr(t, err, context.Canceled)
	_, err = r.Next(ctx)
	wantErr(t, err, ring.ErrCorrupt)
}
