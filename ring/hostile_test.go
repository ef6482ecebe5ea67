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
