package ring_test

import (
	"context"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// publishKind commits one inline u8 frame and makes it one of another kind.
func (p *pair) publishKind(t testing.TB, kind proto.Kind, seed uint64) {
	t.Helper()
	at := p.w.Segment().Tail()
	p.put(t, 40, seed)
	le.PutUint64(p.at(at), at|uint64(kind))
}

func (p *pair) readers(t testing.TB) map[string]nexter {
	t.Helper()
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartOldest, Wait: asleep})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]nexter{
		"reader": p.r, "observer": o,
		"stream reader": ring.NewStreamReader(p.seg, 0, told(p.seg.Tail())),
	}
}

// Check that every kind of reader passes over frames of skippable kinds, and that an
// observer does not count them as lost.
func TestUnknownSkippableKindIsSkipped(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 40, 0)
	p.publishKind(t, proto.KindSkippable, 1)
	p.publishKind(t, proto.KindMask, 2)
	p.put(t, 40, 3)
	for name, r := range p.readers(t) {
		take(t, r, 40, 0)
		f := next(t, r)
		if f.Number() != 3 || f.Lost() != 0 {
			t.Errorf("%s: frame %d after %d lost", name, f.Number(), f.Lost())
		}
	}
}

// Check that a frame of an unknown kind that may not be skipped ends the reading
// with an error of its own.
func TestUnknownKindEndsReading(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 40, 0)
	p.publishKind(t, proto.KindSkippable-1, 1)
	p.put(t, 40, 2)
	for name, r := range p.readers(t) {
		take(t, r, 40, 0)
		for range 2 {
			if _, err := r.Next(context.Background()); err == nil {
				t.Fatalf("%s goes on", name)
			} else {
				wantErr(t, err, ring.ErrKind)
			}
		}
	}
}

// Check that a stream's end arrives as a frame of its own kind, and does not join a
// batch of data frames that look like it.
func TestStreamEndIsDelivered(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 0, 0)
	c, err := p.w.ClaimFrame(context.Background(), &proto.Header{Kind: proto.KindStreamEnd, DType: proto.U8, NDim: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
	p.put(t, 0, 2)
	take(t, p.r, 0, 0)
	b, err := p.r.NextBatch(context.Background(), 8)
	if err != nil {
		t.Fatal(err)
	}
	if p.r.Frame().Kind() != proto.KindStreamEnd || b.Len() != 1 {
		t.Fatalf("kind %d, batch of %d", p.r.Frame().Kind(), b.Len())
	}
	if f := next(t, p.r); f.Number() != 2 || f.Kind() != proto.KindData {
		t.Fatalf("frame %d of kind %d", f.Number(), f.Kind())
	}
}

// Check that a writer refuses kinds and flags that no reader would decode: they
// would end every reader of the ring.
func TestClaimRefusesWhatNoReaderDecodes(t *testing.T) {
	p := newStill(t, nil)
	for _, h := range []proto.Header{
		{Kind: proto.KindPadding},
		{Kind: proto.KindStreamEnd + 1},
		{Kind: proto.KindSkippable - 1},
		{Kind: proto.KindMask + 1},
		{ExtFlags: 1 << 7},
	} {
		h.DType, h.NDim = proto.U8, 1
		_, err := p.w.ClaimFrame(context.Background(), &h)
		wantErr(t, err, proto.ErrHeader)
		_, err = p.w.ClaimGroup(context.Background(), []proto.Header{h})
		wantErr(t, err, proto.ErrHeader)
	}
}

// Check that the header of a frame read elsewhere may be handed to a claim as it is:
// its group flag and number do not come with it.
func TestClaimIgnoresFlagsOfOtherFrame(t *testing.T) {
	p := newStill(t, nil)
	h := proto.Header{DType: proto.U8, NDim: 2, Shape: [8]uint64{2, 3}, Flags: 0xff, Number: 7, PayloadLen: 99}
	c, err := p.w.ClaimFrame(context.Background(), &h)
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
	g, err := p.w.ClaimGroup(context.Background(), []proto.Header{h, h})
	if err != nil {
		t.Fatal(err)
	}
	g.Commit()
	for i, more := range []bool{false, true, false} {
		f := next(t, p.r)
		if f.Number() != uint64(i) || f.More() != more || len(f.Payload()) != 6 {
			t.Errorf("frame %d of %d bytes, more %v, want %d and %v", f.Number(), len(f.Payload()), f.More(), i, more)
		}
	}
}
