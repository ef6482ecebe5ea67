package ring_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// fillUp commits 40-byte frames stamped from seed on until the ring is full, and
// returns the next seed.
func (p *pair) fillUp(t testing.TB, seed uint64) uint64 {
	t.Helper()
	for range 2 * smallBytes / 64 {
		c, err := p.w.Claim(context.Background(), proto.U8, 40)
		if err != nil {
			wantErr(t, err, errAsleep)
			return seed
		}
		stamp(c.Payload(), seed)
		c.Commit()
		seed++
	}
	t.Fatal("the ring is never full")
	return 0
}

// drain reads all frames up to last, each of which is stamped with its number.
func drain(t testing.TB, r nexter, first, last uint64) {
	t.Helper()
	for i := first; i < last; i++ {
		f := next(t, r)
		if f.Number() != i || !stamped(f.Payload(), i) {
			t.Fatalf("frame %d at position %d, want %d", f.Number(), f.Position(), i)
		}
		if err := r.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// Check that before a first reader the writer fills the ring and stops, so that the
// reader finds everything from the start.
func TestFirstReaderFindsTheStart(t *testing.T) {
	for _, start := range []uint64{0, 64, smallBytes - 64, 1<<63 - 4096, 1<<64 - 4096} {
		id := proto.NewIdentity("x", smallBytes)
		id.Start = start
		p := newRing(t, id, ring.WriterConfig{Sleeper: awake{}})
		n := p.fillUp(t, 0)
		if want := uint64(smallBytes/64 - 1); n != want {
			t.Fatalf("%d frames fit, want %d", n, want)
		}
		r, got := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
		if got.Start != start || got.Oldest != start || got.Newer || got.Tail != start+n*64 {
			t.Fatalf("start %d: attached %+v", start, got)
		}
		drain(t, r, 0, n)
		mustWait(t, r)
		n = p.fillUp(t, n)
		if n < 2*smallBytes/64-2 {
			t.Fatalf("only %d frames after the reader made room", n)
		}
	}
}

// Check that a writer that ran free did not count as having had a reader: its
// successor that does not run free waits for the first one.
func TestFreeRunIsNoFirstReader(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Sleeper: awake{}})
	n := uint64(0)
	for ; n < 5000; n++ {
		p.put(t, 40, n)
	}
	q := p.mustRevive(t, true)
	n = q.fillUp(t, n)
	r, got := q.attachAt(t, ring.Attach{Start: proto.StartOldest})
	if !got.Newer || got.Start == 0 {
		t.Fatalf("attached %+v", got)
	}
	first := next(t, r).Number()
	drain(t, r, first+1, n)
	if n-first < smallBytes/64/2 {
		t.Fatalf("only %d frames were kept", n-first)
	}
}

// Check that a reader the writer has given up is not taken back into its slot: it
// would read without holding the writer.
func TestReattachAfterDismissal(t *testing.T) {
	evicted := 0
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{
		Sleeper: awake{}, OnEvict: func(int, uint32, proto.Code) { evicted++ },
	})
	_, got := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
	p.put(t, 40, 0)
	p.w.Lose(got.Slot)
	p.setCursor(got.Slot, 1<<40)
	for i := uint64(1); evicted == 0; i++ {
		p.put(t, 40, i)
	}
	p.setCursor(got.Slot, 0)
	_, err := p.w.Reattach(got.Slot, got.Generation, 0, ring.Attach{})
	wantErr(t, err, ring.ErrSlot)
}

// Check that a reader at oldest, latest and at each frame's position starts there,
// and that a position inside a payload, off a line, or outside the ring is refused.
func TestAttachPositions(t *testing.T) {
	for _, start := range []uint64{0, 1<<63 - smallBytes, 1<<64 - smallBytes} {
		p := newStill(t, startAt(start))
		var frames []uint64
		for i := range uint64(400) {
			frames = append(frames, p.seg.Tail())
			p.put(t, int(i*97)%1500, i)
			take(t, p.r, int(i*97)%1500, i)
		}
		oldest := p.seg.Oldest()
		next, accepted := 0, 0
		tail := p.seg.Tail()
		for at := start; at != tail+128; at += 64 {
			for next < len(frames) && int64(frames[next]-at) < 0 {
				next++
			}
			isFrame := next < len(frames) && frames[next] == at || at == tail
			got, err := p.w.Attach(ring.Attach{Start: proto.StartPosition, Position: at})
			if err != nil {
				wantErr(t, err, ring.ErrNoPosition)
				if isFrame && int64(at-oldest) >= 0 {
					t.Fatalf("start %d: frame at %d refused, oldest is %d: %v", start, at, oldest, err)
				}
				continue
			}
			accepted++
			// Padding is a frame of its own, and the frame after it starts at the wrap.
			if !isFrame && at%smallBytes != 0 || got.Start != at {
				t.Fatalf("start %d: position %d accepted, start %d", start, at, got.Start)
			}
			p.w.Detach(got.Slot)
		}
		if accepted < 50 {
			t.Fatalf("start %d: only %d positions accepted", start, accepted)
		}
		_, err := p.w.Attach(ring.Attach{Start: proto.StartPosition, Position: tail - 8})
		wantErr(t, err, ring.ErrNoPosition)
		_, got := p.attachAt(t, ring.Attach{Start: proto.StartLatest})
		if got.Start != tail {
			t.Fatalf("latest is %d, tail %d", got.Start, tail)
		}
	}
}

// Check that a payload full of commit words is never taken for frames by a walk to a
// position: it starts at marks only.
func TestPositionInsidePayloadIsRefused(t *testing.T) {
	p := newStill(t, nil)
	for i := range 5 {
		c := mustFit(t, p.w, 9000)
		poison(p, c.Payload())
		at := p.seg.Tail()
		c.Commit()
		for inside := at + 64; inside < p.seg.Tail(); inside += 64 {
			if _, err := p.w.Attach(ring.Attach{Start: proto.StartPosition, Position: inside}); err == nil {
				t.Fatalf("frame %d at %d: position %d accepted", i, at, inside)
			}
		}
		if _, err := p.r.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// Check that a reader that attaches between the writer's look at the cursors and its
// store of the limit is not told later that it was evicted. Two readers that store bad
// cursors give the moment: the second is dismissed by the first look, when the first is
// still well, and the first by the second look, which has counted the slots by then.
func TestAttachWhileLimitRises(t *testing.T) {
	var p *pair
	var late *ring.Reader
	p = newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Sleeper: awake{}, OnEvict: func(i int, _ uint32, _ proto.Code) {
		if i == 1 {
			p.setCursor(0, 8)
			return
		}
		late, _ = p.attachAt(t, ring.Attach{Start: proto.StartOldest})
	}})
	for seed := uint64(0); p.seg.State().Tail < smallBytes/2 || p.word(smallBytes/2+64) == 0; seed++ {
		p.put(t, 40, seed)
	}
	p.attachAt(t, ring.Attach{Start: proto.StartLatest})
	p.attachAt(t, ring.Attach{Start: proto.StartLatest})
	p.setCursor(1, 8)
	g, err := p.w.ClaimGroup(context.Background(), halfRing())
	if late == nil {
		t.Fatal("nobody attached")
	}
	if err == nil {
		g.Commit()
	}
	for p.word(late.Position()) != 0 {
		f := next(t, late)
		if !f.Valid() {
			t.Fatalf("frame at %d is not valid, limit %d", f.Position(), p.seg.State().Limit)
		}
		if err := late.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// Check that the slowest of several readers holds the writer, and that its leaving
// frees it.
func TestSlowestReaderHolds(t *testing.T) {
	p := newStill(t, nil)
	slow, slowSlot := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
	n := p.fillUp(t, 0)
	drain(t, p.r, 0, n)
	mustBlock(t, p.w, 40)
	drain(t, slow, 0, 10)
	if more := p.fillUp(t, n) - n; more != 10 {
		t.Fatalf("%d frames fit after 10 were released", more)
	}
	n += 10
	drain(t, p.r, n-10, n)
	if s := p.seg.State(); s.BlockedBy != uint64(slowSlot.Slot+1) || s.Blocks == 0 {
		t.Fatalf("blocked %d times, by slot %d, want %d", s.Blocks, s.BlockedBy, slowSlot.Slot+1)
	}
	p.w.Detach(slowSlot.Slot)
	if more := p.fillUp(t, n) - n; more != smallBytes/64-1 {
		t.Fatalf("%d frames fit once the slow reader left", more)
	}
}

// Check that a lost reader holds the writer until its slot is freed, takes it up again
// at its own position, and that nobody else does.
func TestLostReaderHoldsItsPlace(t *testing.T) {
	p := newStill(t, nil)
	lost, at := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
	n := p.fillUp(t, 0)
	drain(t, p.r, 0, n)
	drain(t, lost, 0, 5)
	p.w.Lose(at.Slot)
	n2 := p.fillUp(t, n)
	drain(t, p.r, n, n2)
	mustBlock(t, p.w, 40)
	if v := p.table.Slot(at.Slot); v.State != proto.SlotLost || v.Cursor != 5*64 {
		t.Fatalf("slot %+v", v)
	}
	for _, bad := range []struct {
		slot       int
		generation uint32
		position   uint64
		want       error
	}{
		{-1, at.Generation, 320, ring.ErrSlot}, {1000, at.Generation, 320, ring.ErrSlot},
		{at.Slot, at.Generation + 1, 320, ring.ErrSlot}, {at.Slot + 1, 1, 320, ring.ErrSlot},
		{at.Slot, at.Generation, 256, ring.ErrNoPosition}, {at.Slot, at.Generation, 321, ring.ErrNoPosition},
		{at.Slot, at.Generation, 1 << 40, ring.ErrNoPosition},
	} {
		_, err := p.w.Reattach(bad.slot, bad.generation, bad.position, ring.Attach{})
		wantErr(t, err, bad.want)
	}
	got, err := p.w.Reattach(at.Slot, at.Generation, 6*64, ring.Attach{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.reader(t, got, ring.ReaderConfig{Sleeper: awake{}, WriterBell: awake{}})
	drain(t, r, 6, n2)
	_, err = p.w.Reattach(at.Slot, at.Generation, 6*64, ring.Attach{})
	wantErr(t, err, ring.ErrSlot)
	p.fillUp(t, n2)
}

// Check that an evicted reader holds nobody, hears of it, and keeps its slot from
// being let again until it is detached.
func TestEviction(t *testing.T) {
	p := newStill(t, func(id *proto.Identity) { id.Slots = 2 })
	victim, at := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
	idle, idleAt := p.r, 0
	n := p.fillUp(t, 0)
	drain(t, idle, 0, n)
	held := next(t, victim)
	if !held.Valid() {
		t.Fatal("a frame under lease is not valid")
	}
	p.w.Evict(at.Slot)
	p.w.Evict(at.Slot)
	if s := p.seg.State(); s.Evictions != 1 {
		t.Fatalf("%d evictions", s.Evictions)
	}
	p.fillUp(t, n)
	if held.Valid() {
		t.Fatal("an overwritten frame is valid")
	}
	wantErr(t, held.Check(), ring.ErrEvicted)
	wantErr(t, victim.Release(), ring.ErrEvicted)
	_, err := victim.Next(context.Background())
	wantErr(t, err, ring.ErrEvicted)
	wantErr(t, victim.Release(), ring.ErrEvicted)
	_, err = p.w.Attach(ring.Attach{})
	wantErr(t, err, ring.ErrTableFull)
	p.w.Detach(at.Slot)
	p.w.Detach(idleAt)
	_, again := p.attachAt(t, ring.Attach{Start: proto.StartLatest})
	if again.Slot != 0 || again.Generation != 2 {
		t.Fatalf("slot %d of generation %d", again.Slot, again.Generation)
	}
}

// Check that a reader that waits learns of its eviction from its slot.
func TestEvictedWhileWaiting(t *testing.T) {
	p := newStill(t, nil)
	mustWait(t, p.r)
	p.w.Evict(0)
	_, err := p.r.Next(context.Background())
	wantErr(t, err, ring.ErrEvicted)
}

// Check that a reader that holds a full ring longer than it agreed to is given up,
// and only then.
func TestStuckReaderIsGivenUp(t *testing.T) {
	now := time.Unix(1000, 0)
	var codes []proto.Code
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{
		Sleeper: sleeps(func() { now = now.Add(time.Second) }), Now: func() time.Time { return now },
		OnEvict: func(_ int, _ uint32, c proto.Code) { codes = append(codes, c) },
	})
	_, _ = p.attachAt(t, ring.Attach{Info: proto.SlotInfo{EvictMs: 5000}})
	for i := range uint64(smallBytes/64 - 1) {
		p.put(t, 40, i)
	}
	before := now
	p.put(t, 40, 0)
	if len(codes) != 1 || codes[0] != proto.CodeTooSlow || now.Sub(before) < 5*time.Second {
		t.Fatalf("codes %v after %v", codes, now.Sub(before))
	}
	if s := p.seg.State(); s.Blocks != 1 || s.BlockedNs != uint64(now.Sub(before)) || s.BlockedSinceNs != 0 {
		t.Fatalf("state %+v", s)
	}
}

// sleeps is a Sleeper that wakes up at once, after its function.
type sleeps func()

func (s sleeps) Sleep(context.Context) error { s(); return nil }

// Check that a full ring of policy drop-newest drops and counts frames, delivers all
// others, and never a part of a group.
func TestDropNewestCounts(t *testing.T) {
	p := newStill(t, func(id *proto.Identity) { id.Policy = proto.PolicyDropNewest })
	sent := 0
	for range 3000 {
		c, err := p.w.Claim(context.Background(), proto.U8, 40)
		if err != nil {
			wantErr(t, err, ring.ErrDropped)
			continue
		}
		stamp(c.Payload(), uint64(sent))
		c.Commit()
		sent++
	}
	if s := p.seg.State(); s.Dropped != uint64(3000-sent) || sent != smallBytes/64-1 {
		t.Fatalf("%d sent, %d counted as dropped", sent, s.Dropped)
	}
	_, err := p.w.ClaimGroup(context.Background(), halfRing())
	wantErr(t, err, ring.ErrDropped)
	if s := p.seg.State(); s.Dropped != uint64(3000-sent)+2 {
		t.Fatalf("a dropped group of 2 makes the count %d", s.Dropped)
	}
	drain(t, p.r, 0, uint64(sent))
	mustWait(t, p.r)
	p.put(t, 40, uint64(sent))
	drain(t, p.r, uint64(sent), uint64(sent)+1)
}

// Check that every reader ends exactly at the final position, and that a writer that
// drains waits for all of them.
func TestEndOfRing(t *testing.T) {
	for _, frames := range []uint64{0, 1, 7, 200} {
		for _, start := range []uint64{0, 1<<64 - smallBytes/2} {
			p := newStill(t, startAt(start))
			for i := range frames {
				p.put(t, 40, i)
			}
			for name, r := range map[string]nexter{"reader": p.r, "observer": p.observer(t)} {
				drain(t, r, 0, frames)
				mustWait(t, r)
				_ = name
			}
			p.put(t, 40, frames)
			p.w.Finish()
			s := p.seg.State()
			if !s.Ended || s.Final != start+(frames+1)*64 || s.Tail != s.Final || s.Number != frames+1 {
				t.Fatalf("state %+v", s)
			}
			wantErr(t, p.w.Drain(context.Background()), errAsleep)
			drain(t, p.r, frames, frames+1)
			for range 2 {
				if _, err := p.r.Next(context.Background()); err != io.EOF {
					t.Fatalf("at the end: %v", err)
				}
			}
			if err := p.w.Drain(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Check that a writer that ends waits for a first reader if none ever came, unless it
// runs free or has written nothing.
func TestDrainWaitsForFirstReader(t *testing.T) {
	for _, free := range []bool{false, true} {
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}, FreeRun: free})
		if err := p.w.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		p.put(t, 40, 0)
		p.w.Finish()
		err := p.w.Drain(context.Background())
		if fmt.Sprint(err) != map[bool]string{false: errAsleep.Error(), true: "<nil>"}[free] {
			t.Fatalf("free run %v: %v", free, err)
		}
	}
}

func (p *pair) observer(t testing.TB) *ring.Observer {
	t.Helper()
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartOldest, Wait: asleep})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
