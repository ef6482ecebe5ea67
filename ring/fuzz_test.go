package ring_test

import (
	"context"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// mutate applies edits to a segment: each takes 11 bytes of script, two of which
// choose a line, one a word of it, eight its value. Lines from 1024 on are those of
// the writer's words.
func mutate(mem, script []byte) {
	for ; len(script) >= 11; script = script[11:] {
		line := uint64(le.Uint16(script)) % (1024 + 64)
		at := proto.DataOffset + line*64
		if line >= 1024 {
			at = proto.IdentityBytes + (line-1024)*64
		}
		copy(mem[at+uint64(script[2]%8)*8:], script[3:11])
	}
}

// written is a ring with frames of every sort.
func written(t testing.TB) *pair {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true, Sleeper: awake{}})
	for i := range uint64(150) {
		p.put(t, int(i*67)%900, i)
		c, err := p.w.Claim(context.Background(), proto.F32, 2, int(i%5))
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
	}
	return p
}

// mutated is a copy of the ring without its writer, changed by script.
func (p *pair) mutated(t testing.TB, script []byte) *pair {
	q := &pair{mem: cloneAligned(p.mem), tab: cloneAligned(p.tab)}
	mutate(q.mem, script)
	var err error
	if q.seg, err = ring.Open(q.mem); err != nil {
		t.Fatal(err)
	}
	if q.table, err = ring.OpenTable(q.tab, q.seg.Identity()); err != nil {
		t.Fatal(err)
	}
	return q
}

// useFrame calls everything a frame offers and reads all its bytes.
func useFrame(t testing.TB, p *pair, f *ring.Frame) {
	n := 0
	for _, b := range f.Payload() {
		n += int(b)
	}
	if len(f.Payload()) > smallBytes/4 {
		t.Fatalf("payload of %d bytes", len(f.Payload()))
	}
	if f.End()-f.Position() < 64 || f.End()-f.Position() > smallBytes || f.End()%64 != 0 {
		t.Fatalf("frame from %d to %d", f.Position(), f.End())
	}
	h := f.Header()
	if h.PayloadLen != uint64(len(f.Payload())) {
		t.Fatalf("header says %d bytes, the payload has %d", h.PayloadLen, len(f.Payload()))
	}
	if a, err := f.Array(); err == nil {
		_ = a.String()
		_, _ = a.Contents()
	}
	for range f.Float64s() {
		n++
	}
	if v, err := ring.Values[float32](f); err == nil {
		n += len(v)
	}
	_, _, _, _ = f.Valid(), f.More(), f.Lost(), f.NDim()
}

// readAll reads until an error, which a ring this small must yield soon.
func readAll(t testing.TB, p *pair, r nexter) {
	for range 8 * smallBytes / 64 {
		f, err := r.Next(context.Background())
		if err != nil {
			return
		}
		useFrame(t, p, f)
		if r.Release() != nil {
			return
		}
	}
	t.Fatal("a ring without a writer does not end")
}

func seeds(f *testing.F) {
	f.Add([]byte{})
	word := func(line uint16, word byte, v uint64) []byte {
		return le.AppendUint64([]byte{byte(line), byte(line >> 8), word}, v)
	}
	f.Add(word(0, 0, 1))
	f.Add(word(1, 2, ^uint64(0)))
	f.Add(word(1024+2, 0, 1<<62))
	f.Add(append(word(1024+4, 0, 1<<62), word(1024+2, 0, 1<<62+4096)...))
	f.Add(word(2, 3, proto.Describe(1<<30, proto.F64, 8, proto.FlagExtended)))
}

// FuzzReaderOverSegment reads a ring that was changed anywhere, in every way there is.
func FuzzReaderOverSegment(f *testing.F) {
	seeds(f)
	base := written(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		p := base.mutated(t, script)
		for _, from := range []uint64{0, smallBytes, p.seg.Oldest(), p.seg.Tail()} {
			r, err := ring.NewReader(p.seg, ring.ReaderConfig{Table: p.table, Position: from, Sleeper: awake{}, WriterBell: awake{}})
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, p, r)
			readAll(t, p, ring.NewStreamReader(p.seg, from, told(from+smallBytes/2)))
		}
		for _, start := range []proto.Start{proto.StartOldest, proto.StartLatest, proto.StartPosition} {
			o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: start, Position: 70 * 64, Wait: asleep})
			if err == nil {
				readAll(t, p, o)
			}
		}
	})
}

// FuzzRecover starts a successor on a ring that was changed anywhere: it refuses, or
// writes frames that its readers get.
func FuzzRecover(f *testing.F) {
	seeds(f)
	base := written(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		p := base.mutated(t, script)
		q, err := p.revive(t, true)
		if err != nil {
			return
		}
		r, err := q.w.Attach(ring.Attach{Start: proto.StartLatest})
		if err != nil {
			return
		}
		reader := q.reader(t, r, ring.ReaderConfig{Sleeper: awake{}, WriterBell: awake{}})
		for i := range uint64(100) {
			c, err := q.w.Claim(context.Background(), proto.U8, int(i*67)%900)
			if err != nil {
				return
			}
			stamp(c.Payload(), i)
			c.Commit()
			take(t, reader, int(i*67)%900, i)
		}
	})
}

// FuzzOpen opens the head of a segment and of a reader table, changed anywhere, the
// segment's with a checksum that fits.
func FuzzOpen(f *testing.F) {
	p := newStill(f, nil)
	f.Add([]byte{0, 0, 9}, uint32(0))
	f.Add([]byte{0, proto.IdCapacity, 9}, uint32(4096))
	f.Add([]byte{0, proto.TbSlots, 9}, uint32(1))
	f.Fuzz(func(t *testing.T, script []byte, cut uint32) {
		mem := cloneAligned(p.mem[:uint64(len(p.mem))-uint64(cut)%uint64(len(p.mem)-proto.IdentityBytes)])
		tab := cloneAligned(p.tab)
		for ; len(script) >= 3; script = script[3:] {
			at := int(le.Uint16(script)) % (1 << 10)
			mem[at], tab[at] = script[2], script[2]
		}
		mendIdentity(mem)
		if s, err := ring.Open(mem); err == nil {
			_, _, _ = s.State(), s.Oldest(), s.Tail()
		}
		if tab, err := ring.OpenTable(tab, p.seg.Identity()); err == nil {
			for i := range tab.Slots() {
				_ = tab.Slot(i)
			}
		}
	})
}
