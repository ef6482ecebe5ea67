package ring_test

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"time"
	"unsafe"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

const smallBytes = proto.MinCapacityBytes // capacity of most test rings

var le = binary.LittleEndian

// errAsleep is what an awake side gets instead of sleep.
var errAsleep = errors.New("would sleep")

// awake is a Sleeper for one goroutine that plays all sides: it never sleeps.
type awake struct{}

func (awake) Sleep(context.Context) error { return errAsleep }
func (awake) Ring()                       {}

type bell = ringtest.Bell

func newBell() bell { return ringtest.NewBell() }

func aligned(n uint64) []byte { return ringtest.Memory(n) }

func cloneAligned(b []byte) []byte {
	c := aligned(uint64(len(b)))
	copy(c, b)
	return c
}

// pair is a writer and one reader over a heap ring.
type pair struct {
	mem, tab []byte
	seg      *ring.Segment
	table    *ring.Table
	w        *ring.Writer
	r        *ring.Reader
	wb       bell
}

func newPair(t testing.TB, capacity uint64, spin time.Duration) *pair {
	t.Helper()
	p := newRing(t, proto.NewIdentity("x", capacity), ring.WriterConfig{Spin: spin})
	p.r = p.attach(t, spin)
	return p
}

// newStill is a ring of smallBytes whose sides never sleep: where one would wait,
// it gets errAsleep.
func newStill(t testing.TB, change func(*proto.Identity)) *pair {
	t.Helper()
	id := proto.NewIdentity("x", smallBytes)
	if change != nil {
		change(&id)
	}
	p := newRing(t, id, ring.WriterConfig{Sleeper: awake{}})
	p.r, _ = p.attachAt(t, ring.Attach{Start: proto.StartOldest})
	return p
}

// startAt moves the first position of a ring.
func startAt(position uint64) func(*proto.Identity) {
	return func(id *proto.Identity) { id.Start = position }
}

func newRing(t testing.TB, id proto.Identity, cfg ring.WriterConfig) *pair {
	t.Helper()
	p := &pair{wb: newBell(), mem: aligned(id.SegmentBytes()), tab: aligned(proto.TableBytes(id.Slots))}
	var err error
	if p.seg, err = ring.Format(p.mem, id); err != nil {
		t.Fatal(err)
	}
	if p.table, err = ring.FormatTable(p.tab, &id, 1); err != nil {
		t.Fatal(err)
	}
	if cfg.Sleeper == nil {
		cfg.Sleeper = p.wb
	}
	if p.w, err = ring.NewWriter(p.seg, p.table, cfg); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) attach(t testing.TB, spin time.Duration) *ring.Reader {
	t.Helper()
	rb := newBell()
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Bell: rb})
	if err != nil {
		t.Fatal(err)
	}
	return p.reader(t, got, ring.ReaderConfig{Sleeper: rb, WriterBell: p.wb, Spin: spin})
}

// attachAt attaches a reader that never sleeps.
func (p *pair) attachAt(t testing.TB, a ring.Attach) (*ring.Reader, ring.Attached) {
	t.Helper()
	got, err := p.w.Attach(a)
	if err != nil {
		t.Fatal(err)
	}
	return p.reader(t, got, ring.ReaderConfig{Sleeper: awake{}, WriterBell: awake{}}), got
}

func (p *pair) reader(t testing.TB, got ring.Attached, cfg ring.ReaderConfig) *ring.Reader {
	t.Helper()
	cfg.Table, cfg.Slot, cfg.Generation, cfg.Position = p.table, got.Slot, got.Generation, got.Start
	r, err := ring.NewReader(p.seg, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// word is the shared word of the frame at position, for tests whose sides rest.
func (p *pair) word(position uint64) uint64 { return le.Uint64(p.at(position)) }

func (p *pair) at(position uint64) []byte {
	id := p.seg.Identity()
	return p.mem[id.DataOff+position&(id.Capacity-1):]
}

// setWriterWord stores a word of the writer's region behind its back.
func setWriterWord(mem []byte, off, v uint64) {
	le.PutUint64(mem[proto.IdentityBytes+off:], v)
}

func (p *pair) setCursor(slot int, v uint64) {
	le.PutUint64(p.tab[proto.TableHeadBytes+slot*proto.SlotBytes+proto.SlCursor:], v)
}

// stamp fills b with bytes that follow from seed, and stamped tells whether it
// still holds them. Of long slices they use the first bytes of each line and the last
// ones.
func stamp(b []byte, seed uint64) {
	for i := 0; i < len(b); i = stampNext(b, i) {
		b[i] = stampByte(seed, i)
	}
}

func stamped(b []byte, seed uint64) bool {
	for i := 0; i < len(b); i = stampNext(b, i) {
		if b[i] != stampByte(seed, i) {
			return false
		}
	}
	return true
}

func stampNext(b []byte, i int) int {
	if i < 256 || i%64 < 2 || len(b)-i < 64 {
		return i + 1
	}
	return i - i%64 + 64
}

func stampByte(seed uint64, i int) byte {
	return byte((seed*0x9e3779b97f4a7c15 + uint64(i)*0xff51afd7ed558ccd) >> 56)
}

// put commits one u8 frame of n bytes stamped with seed.
func (p *pair) put(t testing.TB, n int, seed uint64) {
	t.Helper()
	c, err := p.w.Claim(context.Background(), proto.U8, n)
	if err != nil {
		t.Fatalf("claim %d bytes at position %d: %v", n, p.w.Position(), err)
	}
	stamp(c.Payload(), seed)
	c.Commit()
}

// mustFit claims n bytes for a test that is not about room.
func mustFit(t testing.TB, w *ring.Writer, n int) *ring.Claim {
	t.Helper()
	c, err := w.Claim(context.Background(), proto.U8, n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// nexter is every kind of reader.
type nexter interface {
	Next(context.Context) (*ring.Frame, error)
	Release() error
}

// take reads and releases one frame of n bytes stamped with seed.
func take(t testing.TB, r nexter, n int, seed uint64) {
	t.Helper()
	f := next(t, r)
	if len(f.Payload()) != n || !stamped(f.Payload(), seed) {
		t.Fatalf("frame %d at position %d: %d bytes, want %d stamped %d", f.Number(), f.Position(), len(f.Payload()), n, seed)
	}
	if err := r.Release(); err != nil {
		t.Fatal(err)
	}
}

func next(t testing.TB, r nexter) *ring.Frame {
	t.Helper()
	f, err := r.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// mustWait fails unless the reader would go to sleep now: nothing is visible.
func mustWait(t testing.TB, r nexter) {
	t.Helper()
	if f, err := r.Next(context.Background()); !errors.Is(err, errAsleep) {
		t.Fatalf("next: frame %v, error %v, want none", f, err)
	}
}

// mustBlock fails unless a claim of n bytes finds the ring full.
func mustBlock(t testing.TB, w *ring.Writer, n int) {
	t.Helper()
	if _, err := w.Claim(context.Background(), proto.U8, n); !errors.Is(err, errAsleep) {
		t.Fatalf("claim of %d bytes: %v, want a full ring", n, err)
	}
}

// wantErr fails unless err wraps want.
func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// offsetIn is where inner begins inside outer, or -1.
func offsetIn(outer, inner []byte) int {
	off := uintptr(unsafe.Pointer(unsafe.SliceData(inner))) - uintptr(unsafe.Pointer(unsafe.SliceData(outer)))
	if len(outer) < len(inner) || off > uintptr(len(outer)-len(inner)) {
		return -1
	}
	return int(off)
}

// mendIdentity makes the checksum and the ready word of changed bytes right again.
func mendIdentity(mem []byte) {
	le.PutUint64(mem[proto.IdCRC:], uint64(crc32.ChecksumIEEE(mem[:proto.IdCRC])))
	le.PutUint64(mem[proto.IdReady:], proto.ReadyWord)
}
