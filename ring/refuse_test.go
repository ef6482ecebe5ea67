package ring_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a reader of either kind refuses a word that is a commit, but of another
// position, and one that is none.
func TestReaderRefusesOtherWords(t *testing.T) {
	for _, word := range []uint64{1, 64 | 1, smallBytes | 1, 1<<63 | 1, 7 << 8} {
		p := newStill(t, nil)
		p.put(t, 40, 0)
		le.PutUint64(p.at(0), word)
		want := ring.ErrCorrupt
		if word == 1 {
			want = nil
		}
		for name, r := range map[string]nexter{"reader": p.r, "stream reader": ring.NewStreamReader(p.seg, 0, told(64))} {
			if _, err := r.Next(context.Background()); want == nil && err != nil {
				t.Errorf("%s: %v", name, err)
			} else if want != nil {
				wantErr(t, err, want)
			}
		}
	}
}

// Check that a reader that was evicted is told so, not that the ring is corrupt, when
// it comes upon words of a later lap.
func TestEvictedReaderIsToldSo(t *testing.T) {
	p := newStill(t, nil)
	stream := ring.NewStreamReader(p.seg, 0, told(64))
	p.put(t, 40, 0)
	take(t, p.r, 40, 0)
	p.w.Evict(0)
	for i := range uint64(3 * smallBytes / 128) {
		p.put(t, 100, i)
	}
	_, err := p.r.Next(context.Background())
	wantErr(t, err, ring.ErrEvicted)
	_, err = stream.Next(context.Background())
	wantErr(t, err, ring.ErrEvicted)
}

// Check that a stream reader whose frame was overwritten under lease hears of it as it
// gives the frame back.
func TestStreamReaderEvictedUnderLease(t *testing.T) {
	p := newStill(t, nil)
	stream := ring.NewStreamReader(p.seg, 0, told(64))
	p.put(t, 40, 0)
	next(t, stream)
	p.w.Evict(0)
	for i := range uint64(smallBytes / 64) {
		p.put(t, 40, i)
	}
	wantErr(t, stream.Release(), ring.ErrEvicted)
}

// Check that a slot that the table does not have is refused.
func TestReaderChecksItsSlot(t *testing.T) {
	p := newStill(t, nil)
	for _, slot := range []int{-1, p.table.Slots(), 1 << 40} {
		_, err := ring.NewReader(p.seg, ring.ReaderConfig{Table: p.table, Slot: slot})
		wantErr(t, err, ring.ErrSlot)
	}
}

// Check that memory that is cut short, off the lines or of another ring is refused.
func TestOpenRefuses(t *testing.T) {
	p := newStill(t, nil)
	_, err := ring.Open(p.mem[: len(p.mem)-64 : len(p.mem)-64])
	wantErr(t, err, proto.ErrTruncated)
	shifted := aligned(uint64(len(p.mem)) + 64)[8:]
	copy(shifted, p.mem)
	_, err = ring.Open(shifted)
	wantErr(t, err, ring.ErrMemory)
	id := *p.seg.Identity()
	id.RingID[3]++
	_, err = ring.OpenTable(p.tab, &id)
	wantErr(t, err, ring.ErrSlot)
}

// Check that nobody writes a ring that has ended.
func TestWriterRefusesAnEndedRing(t *testing.T) {
	p := newStill(t, nil)
	p.w.Finish()
	_, err := p.revive(t, false)
	wantErr(t, err, ring.ErrFinished)
}

// Check that a group as large as half the ring is taken, and no larger one.
func TestGroupTooLarge(t *testing.T) {
	p := newStill(t, nil)
	g, err := p.w.ClaimGroup(context.Background(), halfRing())
	if err != nil {
		t.Fatal(err)
	}
	g.Abort()
	_, err = p.w.ClaimGroup(context.Background(), append(halfRing(), proto.Header{DType: proto.U8, NDim: 1}))
	wantErr(t, err, ring.ErrFrameTooLarge)
}

// Check that a batch ends at the wrap, whatever lies behind it.
func TestBatchNearTheWrap(t *testing.T) {
	p := newStill(t, nil)
	for i := range uint64(smallBytes/64 - 4) {
		p.put(t, 40, i)
		take(t, p.r, 40, i)
	}
	for i := range uint64(8) {
		p.put(t, 40, i)
	}
	b, err := p.r.NextBatch(context.Background(), 64)
	if err != nil || b.Len() != 4 {
		t.Fatalf("batch %+v, %v", b, err)
	}
}

// Check that a stream reader's batch ends where the announcement does.
func TestStreamBatchEndsAtAnnouncement(t *testing.T) {
	p := newStill(t, nil)
	for i := range uint64(8) {
		p.put(t, 40, i)
	}
	b, err := ring.NewStreamReader(p.seg, 0, told(3*64)).NextBatch(context.Background(), 64)
	if err != nil || b.Len() != 3 {
		t.Fatalf("batch %+v, %v", b, err)
	}
}

// Check that a wait that was rung counts as no rescue.
func TestRungIsNoRescue(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	r := p.reader(t, p.mustAttach(t, ring.Attach{Bell: awake{}}), ring.ReaderConfig{
		WriterBell: awake{}, Sleeper: sleeps(func() { p.put(t, 40, 0) }),
	})
	take(t, r, 40, 0)
	if r.Rescues() != 0 {
		t.Fatalf("%d rescues", r.Rescues())
	}
}

// Check that a walk over frames stops where it was overtaken, though what lies there
// looks like a frame.
func TestWalkEndsWhereItWasLapped(t *testing.T) {
	p := newStill(t, nil)
	for i := range uint64(8) {
		p.put(t, 40, i)
	}
	setWriterWord(p.mem, proto.WrTail, 0)
	setWriterWord(p.mem, proto.WrLimit, smallBytes+64*3)
	if tail := p.seg.Tail(); tail != 0 {
		t.Fatalf("tail %d, though frames before %d may be overwritten", tail, 64*3)
	}
}

// gateBell counts the rings of a writer's doorbell; while the writer sleeps there, and
// when it is rung, something happens.
type gateBell struct {
	rung    int
	asleep  func()
	ringing func()
}

func (b *gateBell) Ring() {
	b.rung++
	if event := b.ringing; event != nil {
		b.ringing = nil
		event()
	}
}

func (b *gateBell) Sleep(context.Context) error {
	event := b.asleep
	if event == nil {
		return errAsleep
	}
	b.asleep = nil
	event()
	return nil
}

// Check that a first reader wakes the writer that waits for it once it counts, though
// the writer was woken and looked in vain before, and that a reader that returns further
// on wakes the writer that its old cursor held.
func TestAttachWakesTheWriter(t *testing.T) {
	b := &gateBell{}
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: b})
	n := p.fillUp(t, 0)
	got := ring.Attached{}
	b.ringing = func() { atomic.StoreUint64(p.tableWord(proto.TbWriterParked), 64|1) }
	b.asleep = func() { got = p.mustAttach(t, ring.Attach{Start: proto.StartLatest}) }
	p.put(t, 40, n)
	if b.rung != 2 {
		t.Errorf("a first reader rang %d times", b.rung)
	}
	n = p.fillUp(t, n+1)
	p.w.Lose(got.Slot)
	b.rung = 0
	b.asleep = func() {
		if _, err := p.w.Reattach(got.Slot, got.Generation, p.seg.Tail(), ring.Attach{}); err != nil {
			t.Error(err)
		}
	}
	p.put(t, 40, n)
	if b.rung != 1 {
		t.Errorf("a returning reader rang %d times", b.rung)
	}
}
