//go:build linux

package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

// expectReleased takes frames of 40 bytes from number n on and gives them back.
func expectReleased(t *testing.T, r *Reader, n, frames uint64) {
	t.Helper()
	for i := range frames {
		expectStamped(t, r, n+i, 40)
	}
	if err := r.Release(); err != nil {
		t.Fatal(err)
	}
}

// expectEnd demands that the ring ends here.
func expectEnd(t *testing.T, r *Reader) {
	t.Helper()
	if f, err := r.Next(t.Context()); err != io.EOF {
		t.Fatalf("frame %v, %v, want the end of the ring", f, err)
	}
}

// Check that a ring whose reader lags takes frames as long as the commit word behind
// them is free, too, and not one more; that what is dropped then is counted; and that
// each line given back makes room for one.
func TestRoomInTheFile(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536 drop")
	r := dial(t, "x", ReaderConfig{Dir: dir})
	file := openRing(t, dir)
	next := uint64(0) // to be read
	for lap := range uint64(3) {
		if got := write.do("fill 40"); got != fmt.Sprint(small/64-1) {
			t.Fatalf("lap %d: %s frames of a line fit, want %d", lap, got, small/64-1)
		}
		if dropped := file.of(proto.WrDropped); dropped != 1+lap*11 {
			t.Errorf("%d frames dropped are counted, want %d", dropped, 1+lap*11)
		}
		file.wantCommit(next*64, next*64|uint64(proto.KindData))
		for range 10 {
			expectReleased(t, r, next, 1)
			next++
			if got := write.do("fill 40"); got != "1" {
				t.Fatalf("a line given back made room for %s frames", got)
			}
		}
		expectReleased(t, r, next, small/64-1)
		next += small/64 - 1
	}
}

// Check that a full ring blocks its writer, which says for whom, and that nothing is
// dropped or overwritten meanwhile.
func TestFullRingBlocks(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir, Name: "slow"})
	file := openRing(t, dir)
	write.say("put 40 3000")
	until(t, "the writer is blocked", func() bool { return file.of(proto.WrBlockedSince) != 0 })
	s, err := OpenSnapshot(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	if b, blocked := s.Blocked(); !blocked || b.FirstReader || b.Reader.Name != "slow" {
		t.Errorf("blocked %v by %+v, want by the reader", blocked, b)
	}
	s.Close()
	file.wantCommit(0, uint64(proto.KindData))
	expectReleased(t, r, 0, 3000)
	write.done("put 40 3000")
	if dropped := file.of(proto.WrDropped); dropped != 0 {
		t.Errorf("%d frames dropped by a writer that blocks", dropped)
	}
}

// Check the limit in the file: claims and commits store to nothing but the frame and
// the commit word behind it, never at or beyond the limit; it only grows, by what is
// needed and a sixteenth of the ring at most, in steps that are few; and a successor
// goes on from it.
func TestLimitInTheFile(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536 free")
	file := openRing(t, dir)
	end, limit, raised := uint64(0), uint64(0), 0
	before := file.data()
	for n := range 1500 {
		length := 40
		if n >= 1000 {
			length = rng.IntN(6000)
		}
		size, at := frameBytes(length), end
		if left := small - end%small; size > left {
			at += left
		}
		write.do(fmt.Sprint("put ", length))
		after := file.data()
		for off := range after {
			ahead := (uint64(off) - end) % small
			if after[off] != before[off] && ahead >= at+size+8-end {
				t.Fatalf("seed %d: frame %d at %d to %d changed the byte at offset %d", seed, n, at, at+size, off)
			}
		}
		now := file.of(proto.WrLimit)
		most := at + size + proto.LineBytes + small/proto.LimitDivisor
		if size >= small/proto.MarkCount {
			most += 2 * size // room for another one like it, and padding before it
		}
		if int64(now-limit) < 0 || now < at+size+proto.LineBytes || now != limit && now > most {
			t.Fatalf("seed %d: limit %d after %d, for a frame up to %d", seed, now, limit, at+size)
		}
		if now != limit && n < 1000 {
			raised++
		}
		before, end, limit = after, at+size, now
	}
	if most := 1000*64/(small/proto.LimitDivisor) + 1; raised > most {
		t.Errorf("the limit was raised %d times for 1000 frames of a line, want %d at most", raised, most)
	}
	write.do("claim 5000")
	limit = file.of(proto.WrLimit)
	write.kill()
	write = told(t, dir, "listen -capacity 65536 free")
	if now := file.of(proto.WrLimit); now != limit {
		t.Errorf("limit %d after a restart, %d before", now, limit)
	}
	write.do("put 40 100")
	if now := file.of(proto.WrLimit); int64(now-limit) < 0 {
		t.Errorf("limit %d after a restart, %d before", now, limit)
	}
}

// storeCursor stores to a reader's cursor in the table that its writer maps.
func storeCursor(r *Reader, cursor uint64) {
	at := proto.TableHeadBytes + uint64(r.session.welcome.Slot)*proto.SlotBytes + proto.SlCursor
	binary.LittleEndian.PutUint64(r.session.tableMap.mem[at:], cursor)
}

// Check that a writer in another process believes no cursor that it did not let its
// reader come to: who goes back, ahead of it or off the lines is evicted, and told so,
// and holds nobody up.
func TestFalseCursorInTheFile(t *testing.T) {
	for what, cursor := range map[string]uint64{
		"ahead": 2000 * 64, "back": 100 * 64, "before the start": 1<<64 - 64, "off the lines": 300*64 + 8, "far ahead": 1 << 63,
	} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		r := dial(t, "x", ReaderConfig{Dir: dir})
		honest := dial(t, "x", ReaderConfig{Dir: dir})
		write.do("put 40 1000")
		expectReleased(t, r, 0, 300)
		expectReleased(t, honest, 0, 300)
		write.do("put 40 200") // looks at the cursors
		storeCursor(r, cursor)
		write.say("put 40 2000")
		expectReleased(t, honest, 300, 2900)
		write.done("put 40 2000")
		for n := uint64(300); ; n++ {
			f, err := r.Next(t.Context())
			if errors.Is(err, ErrEvicted) {
				break
			}
			if err != nil || f.Number() != n {
				t.Fatalf("%s: frame %v, %v, want number %d or an eviction", what, f, err, n)
			}
		}
	}
}

// Check that frames are kept for a first reader, which finds all from the start on,
// that an observer is none, and that a writer told to run free keeps none.
func TestFirstReaderInTheFile(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	file := openRing(t, dir)
	write.say("put 40 3000")
	blocked := func() bool { return file.of(proto.WrBlockedSince) != 0 && file.of(proto.WrBlockedBy) == 0 }
	until(t, "the writer waits for a first reader", blocked)
	look := told(t, dir, "observe")
	look.do("next 1023")
	if !blocked() {
		t.Error("the writer took an observer for a first reader")
	}
	r := dial(t, "x", ReaderConfig{Dir: dir})
	expectReleased(t, r, 0, 3000)
	write.done("put 40 3000")
	dir = testDir(t)
	write = told(t, dir, "listen -capacity 65536 free")
	write.do("put 40 3000")
	r = dial(t, "x", ReaderConfig{Dir: dir})
	if r.Welcome().Flags&proto.WelcomeNewer == 0 || r.Welcome().Start == 0 {
		t.Errorf("welcome %+v, want one that tells of frames that are gone", r.Welcome())
	}
}

// Check that a writer that ends waits for the readers it has, and for a first one if
// none came, and says for whom; they get everything, then the end.
func TestEndWaitsForReaders(t *testing.T) {
	for _, wake := range []proto.Wake{0, proto.WakePark, proto.WakeStream} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536 -v")
		says := "waiting for a first reader"
		var r *Reader
		if wake != 0 {
			says = "waiting for reader"
			r = dial(t, "x", ReaderConfig{Dir: dir, Wake: wake})
		}
		file := openRing(t, dir)
		write.do("put 40 20")
		write.say("close")
		until(t, "the writer waits", func() bool { return file.of(proto.WrFinal) != 0 && file.of(proto.WrBlockedSince) != 0 })
		if wake == 0 {
			r = dial(t, "x", ReaderConfig{Dir: dir, NoWait: true})
		}
		if final := file.of(proto.WrFinal); final != 20*64|1 {
			t.Errorf("final word %#x, want %#x", final, 20*64|1)
		}
		for n := range uint64(20) {
			expectStamped(t, r, n, 40)
		}
		expectEnd(t, r)
		write.done("close")
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
		write.input.Close()
		write.wait()
		if said := write.errs.String(); !strings.Contains(said, says) {
			t.Errorf("the writer said %q, want %q", said, says)
		}
	}
}

// Check that whoever attaches to a ring that another process writes at full speed is
// never evicted and never finds anything but whole frames, one after the other, from
// where its welcome says.
func TestAttachAtSpeed(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536 free")
	write.say("flow 200")
	for i := range 150 {
		cfg := ReaderConfig{Dir: dir, Wake: []proto.Wake{proto.WakePark, proto.WakeStream}[i%2], Start: []proto.Start{proto.StartOldest, proto.StartLatest}[i/2%2]}
		r, err := Dial(t.Context(), "x", cfg)
		if err != nil {
			t.Fatal(err)
		}
		var first uint64
		for k := range uint64(5) {
			f, err := r.Next(t.Context())
			if err != nil {
				t.Fatalf("attach %d, frame %d: %v", i, k, err)
			}
			if k == 0 {
				first = f.Number()
				if start := r.Welcome().Start; f.Position() != start && f.Position()-start > 256 {
					t.Fatalf("attach %d: first frame at %d, the welcome says %d", i, f.Position(), start)
				}
			}
			if f.Number() != first+k || !stamped(f.Payload(), f.Number()) {
				t.Fatalf("attach %d: frame %d, want %d, as written %v", i, f.Number(), first+k, stamped(f.Payload(), f.Number()))
			}
		}
		if err := r.Close(); err != nil {
			t.Fatalf("attach %d: %v", i, err)
		}
	}
	write.say("stop")
	write.done("flow 200")
	if n := openRing(t, dir).of(proto.WrEvictions); n != 0 {
		t.Errorf("%d readers evicted", n)
	}
}

// Check that an evicted reader's view says that it is not valid any more, and that
// giving it back tells of the eviction.
func TestViewOfAnEvictedReader(t *testing.T) {
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake, EvictAfter: time.Millisecond})
		write.do("put 40 1023")
		f := expectStamped(t, r, 0, 40)
		if !f.Valid() {
			t.Error("a view is not valid while the writer waits for it")
		}
		write.do("put 40 1500")
		if f.Valid() || stamped(f.Payload(), 0) {
			t.Errorf("valid %v, untouched %v after the writer overwrote it", f.Valid(), stamped(f.Payload(), 0))
		}
		if err := r.Release(); !errors.Is(err, ErrEvicted) {
			t.Errorf("error %v, want ErrEvicted", err)
		}
	}
}
