package ring_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// The tests of this file put one side between two steps of the other: what a Bell, a
// Barrier or a clock does happens in the middle of the call that uses it.

// tableWord is a word of the reader table, as a client in another language has it.
func (p *pair) tableWord(off uint64) *uint64 {
	return (*uint64)(unsafe.Pointer(&p.tab[off]))
}

func parkedOff(slot int) uint64 {
	return proto.TableHeadBytes + uint64(slot)*proto.SlotBytes + proto.SlParked
}

// parkByHand stores the parked words of a slot in the order in which a reader does.
func (p *pair) parkByHand(slot int) {
	atomic.StoreUint64(p.tableWord(parkedOff(slot)), 1)
	atomic.StoreUint64(p.tableWord(proto.TbReadersParked), 1)
}

// rings is a Bell that does something.
type rings func()

func (r rings) Ring() { r() }

// sleepless is a Sleeper that must not be asked, and a Bell that may ring.
type sleepless struct{ t *testing.T }

func (s sleepless) Ring() {}
func (s sleepless) Sleep(context.Context) error {
	s.t.Error("sleeps although there is work")
	return errAsleep
}

// Check that a reader looks again between storing its parked words and sleeping: of a
// commit just before those stores nobody tells it.
func TestReaderLooksAgain(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Barrier: true, Bell: awake{}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := ring.ReaderConfig{Sleeper: sleepless{t}, WriterBell: awake{}}
	cfg.Barrier = func() {
		atomic.StoreUint64(p.tableWord(proto.TbReadersParked), 0) // the commit came before the store
		p.put(t, 40, 0)
	}
	take(t, p.reader(t, got, cfg), 40, 0)
}

// Check that a reader that goes to sleep as the ring ends sees the end.
func TestReaderLooksAgainForTheEnd(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Barrier: true})
	if err != nil {
		t.Fatal(err)
	}
	r := p.reader(t, got, ring.ReaderConfig{Sleeper: sleepless{t}, WriterBell: awake{}, Barrier: func() { p.w.Finish() }})
	if _, err := r.Next(context.Background()); err == nil {
		t.Fatal("a frame at the end")
	}
}

// Check that a follower looks again between storing its parked words and sleeping.
func TestFollowerLooksAgain(t *testing.T) {
	var p *pair
	parks := 0
	p = newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Sleeper: awake{}, Barrier: func() {
		atomic.StoreUint64(p.tableWord(proto.TbReadersParked), 0)
		parks++
		p.put(t, 40, 0)
	}})
	f := p.w.Follow(sleepless{t}, awake{})
	for i := uint64(1); i <= 10; i++ {
		if end, err := f.Next(context.Background()); err != nil || end != 64*i || parks != int(i) {
			t.Fatalf("told of %d, %v after %d waits", end, err, parks)
		}
	}
}

// Check that a writer looks at the cursors again between storing what it wants and
// sleeping, and that it makes the stores of readers without a fence visible first.
func TestWriterLooksAgain(t *testing.T) {
	var p *pair
	var r *ring.Reader
	p = newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: sleepless{t}, Barrier: func() {
		if r == nil {
			return
		}
		atomic.StoreUint64(p.tableWord(proto.TbWriterParked), 0) // the release came before the store
		if err := r.Release(); err != nil {
			t.Error(err)
		}
	}})
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Asymmetric: true, Barrier: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(smallBytes/64 - 1) {
		p.put(t, 40, i)
	}
	r = p.reader(t, got, ring.ReaderConfig{Sleeper: awake{}, WriterBell: awake{}, Asymmetric: true})
	next(t, r)
	p.put(t, 40, 0)
}

// Check that a reader runs its barrier after its parked words are stored and before it
// looks again: only then is a commit without a fence seen, or its writer sees the words.
func TestBarrierStandsBetween(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}, Asymmetric: true})
	rung := 0
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Barrier: true, Bell: rings(func() { rung++ })})
	if err != nil {
		t.Fatal(err)
	}
	r := p.reader(t, got, ring.ReaderConfig{Sleeper: sleepless{t}, WriterBell: awake{}, Barrier: func() { p.put(t, 40, 0) }})
	take(t, r, 40, 0)
	if rung != 1 {
		t.Fatalf("the commit in between rang %d times", rung)
	}
}

// Check that a reader that cannot run a barrier makes an asymmetric writer fence, and
// that the attach runs one for the commit under way.
func TestAttachMakesTheWriterFence(t *testing.T) {
	ran := 0
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{
		Sleeper: awake{}, Asymmetric: true, Barrier: func() { ran++ },
	})
	p.attachAt(t, ring.Attach{Barrier: true})
	if ran != 0 {
		t.Fatalf("%d barriers for a reader that runs its own", ran)
	}
	p.attachAt(t, ring.Attach{})
	if ran != 1 {
		t.Fatalf("%d barriers for a reader that cannot run one", ran)
	}
}

// Check that a reader that parks while the writer wakes others is rung by the next
// commit: the writer clears the summary before it looks at anybody's word.
func TestParkWhileOthersAreWoken(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	first, second := 0, 0
	p.mustAttach(t, ring.Attach{Bell: rings(func() { first++ })})
	p.mustAttach(t, ring.Attach{Bell: rings(func() {
		if second++; second == 1 {
			p.parkByHand(0) // the writer is past this slot
		}
	})})
	p.parkByHand(1)
	p.put(t, 40, 0)
	p.put(t, 40, 1)
	if first != 1 || second != 1 {
		t.Fatalf("rung %d and %d times", first, second)
	}
}

func (p *pair) mustAttach(t testing.TB, a ring.Attach) ring.Attached {
	t.Helper()
	got, err := p.w.Attach(a)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Check that a reader that wakes up and parks again before the writer's ring returns
// is rung by the next commit: its word is cleared before it is rung.
func TestParkAgainWhileRung(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	rung := 0
	p.mustAttach(t, ring.Attach{Bell: rings(func() {
		if rung++; rung == 1 {
			p.parkByHand(0)
		}
	})})
	p.parkByHand(0)
	p.put(t, 40, 0)
	p.put(t, 40, 1)
	if rung != 2 {
		t.Fatalf("rung %d times", rung)
	}
}

// Check that a reader that was rung finds no word of its own left and is not rung for
// the next commit while it is awake.
func TestWokenReaderIsNotRungAgain(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	rung := 0
	p.mustAttach(t, ring.Attach{Bell: rings(func() { rung++ })})
	p.parkByHand(0)
	for i := range uint64(5) {
		p.put(t, 40, i)
		atomic.StoreUint64(p.tableWord(proto.TbReadersParked), 1) // another reader parks
	}
	if rung != 1 {
		t.Fatalf("rung %d times", rung)
	}
}

// rewanting is a writer's doorbell that finds the writer waiting again, for more, as
// soon as it is rung.
type rewanting struct {
	p    *pair
	rung int
}

func (b *rewanting) Sleep(context.Context) error { return errAsleep }
func (b *rewanting) Ring() {
	if b.rung++; b.rung == 1 {
		atomic.StoreUint64(b.p.tableWord(proto.TbWriterParked), 128|1)
	}
}

// Check that a writer that wakes up and waits again before a ring returns is rung by
// the next release, by a reader as by its own process.
func TestWaitAgainWhileRung(t *testing.T) {
	for _, stream := range []bool{false, true} {
		b := &rewanting{}
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: b})
		b.p = p
		got := p.mustAttach(t, ring.Attach{})
		r := p.reader(t, got, ring.ReaderConfig{Sleeper: awake{}, WriterBell: b})
		for i := range uint64(3) {
			p.put(t, 40, i)
		}
		release := func(i uint64) {
			if stream {
				if err := p.w.Released(got.Slot, 64*i); err != nil {
					t.Fatal(err)
				}
				return
			}
			take(t, r, 40, i-1)
		}
		atomic.StoreUint64(p.tableWord(proto.TbWriterParked), 64|1)
		release(1)
		release(2)
		if b.rung != 2 {
			t.Fatalf("stream %v: rung %d times", stream, b.rung)
		}
		release(3)
		if b.rung != 2 {
			t.Fatalf("stream %v: rung although nobody waits", stream)
		}
	}
}

// Check that a reader wakes the writer when what it wants is there, and not before.
func TestNoRingBelowWhatIsWanted(t *testing.T) {
	b := &rewanting{rung: 1}
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: b})
	r := p.reader(t, p.mustAttach(t, ring.Attach{}), ring.ReaderConfig{Sleeper: awake{}, WriterBell: b})
	for i := range uint64(5) {
		p.put(t, 40, i)
	}
	atomic.StoreUint64(p.tableWord(proto.TbWriterParked), 256|1)
	for i := range uint64(4) {
		if take(t, r, 40, i); b.rung != 1+int(i/3) {
			t.Fatalf("rung %d times after %d frames of 4", b.rung-1, i+1)
		}
	}
}

// Check that a reader that leaves at the very moment at which it is given up does not
// take the next one in its slot with it, which has all the time that it agreed to.
func TestGivenUpAsItLeaves(t *testing.T) {
	now := time.Unix(1000, 0)
	blamed, looks, naps := 0, -1<<20, 0
	patient := ring.Attach{Info: proto.SlotInfo{EvictMs: 90_000}}
	var p *pair
	p = newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{
		Sleeper: fails(func() error {
			if naps++; naps == 6 {
				return errAsleep
			}
			now = now.Add(time.Minute)
			return nil
		}),
		Now: func() time.Time {
			// The clock is read once as the wait begins, then after each sleep.
			if looks++; looks == 4 {
				p.w.Detach(0)
				p.mustAttach(t, patient)
			}
			return now
		},
		OnEvict: func(int, uint32, proto.Code) { blamed++ },
	})
	p.mustAttach(t, patient)
	for i := range uint64(smallBytes/64 - 1) {
		p.put(t, 40, i)
	}
	looks = 0
	mustBlock(t, p.w, 40)
	if blamed != 0 || p.table.Slot(0).Generation != 2 {
		t.Fatalf("%d blamed, slot %+v", blamed, p.table.Slot(0))
	}
}

// Check that a writer that has found room looks at the cursors once more before it
// shares the limit: a reader may have attached behind its first look.
func TestReaderAttachesBehindTheFirstLook(t *testing.T) {
	var p *pair
	var late *ring.Attached
	p = newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{
		FreeRun: true, Sleeper: awake{}, OnEvict: func(int, uint32, proto.Code) {
			got := p.mustAttach(t, ring.Attach{Start: proto.StartOldest}) // in slot 0, which was looked at
			late = &got
		},
	})
	p.mustAttach(t, ring.Attach{})
	p.mustAttach(t, ring.Attach{})
	p.w.Detach(0)
	for i := uint64(0); p.seg.State().Limit < 2*smallBytes; i++ {
		p.put(t, 40, i)
		p.setCursor(1, p.w.Position())
	}
	p.setCursor(1, 1<<40)
	for late == nil {
		if c, err := p.w.Claim(context.Background(), proto.U8, 40); err == nil {
			c.Commit()
		}
	}
	if limit := p.seg.State().Limit; limit-late.Start > smallBytes {
		t.Fatalf("limit %d, reader at %d", limit, late.Start)
	}
}
