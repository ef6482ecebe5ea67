//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

const small = proto.MinCapacityBytes // capacity of the rings here

// expectStamped takes the next frame and demands that it is number n, of so many bytes.
func expectStamped(t *testing.T, r interface {
	Next(context.Context) (*ring.Frame, error)
}, n uint64, length int) *ring.Frame {
	t.Helper()
	f, err := r.Next(t.Context())
	if err != nil {
		t.Fatalf("frame %d: %v", n, err)
	}
	if f.Number() != n || len(f.Payload()) != length || !stamped(f.Payload(), n) {
		t.Fatalf("frame %d of %d bytes is number %d, of %d bytes, as written %v", n, length, f.Number(), len(f.Payload()), stamped(f.Payload(), n))
	}
	return f
}

// Check that frames of any length come from another process whole and in order, at the
// lines where they must stand: one after the other, none across the wrap, none shorter
// than a line, also where positions pass 2^63 and 2^64.
func TestFramesOfEveryLength(t *testing.T) {
	seed := rand.Uint64()
	lengths := []int{0, 1, 39, 40, 41, 104, 1000, small / 4}
	for _, start := range []uint64{0, 1<<63 - small, 1<<64 - 2*small} {
		rng := rand.New(rand.NewPCG(seed, start))
		dir := testDir(t)
		write := told(t, dir, fmt.Sprint("listen -capacity 65536 ", start))
		readers := []*Reader{dial(t, "x", ReaderConfig{Dir: dir}), dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})}
		next, file := start, openRing(t, dir)
		for n := range uint64(400) {
			length := lengths[rng.IntN(len(lengths))]
			if n%3 == 0 {
				length = rng.IntN(5000)
			}
			size := frameBytes(length)
			if left := small - next%small; size > left {
				next += left
			}
			write.do(fmt.Sprint("put ", length))
			for _, r := range readers {
				f := expectStamped(t, r, n, length)
				if f.Position() != next || f.End() != next+size {
					t.Fatalf("seed %d: frame %d of %d bytes stands at %d to %d, want %d to %d", seed, n, length, f.Position(), f.End(), next, next+size)
				}
			}
			next += size
			if limit := file.of(proto.WrLimit); int64(limit-next) < proto.LineBytes {
				t.Fatalf("seed %d: limit %d behind frame %d, which ends at %d", seed, limit, n, next)
			}
		}
	}
}

// Check that a payload of a quarter of the capacity crosses, and that one byte more is
// refused with both numbers, as is an asked capacity that is no power of two: it is
// rounded up.
func TestFrameLimitOfTheFile(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65537")
	if id := openRing(t, dir).id; id.Capacity != 2*small || id.FrameLimit != small/2 {
		t.Fatalf("capacity %d, frame limit %d, want %d and %d", id.Capacity, id.FrameLimit, 2*small, small/2)
	}
	r := dial(t, "x", ReaderConfig{Dir: dir})
	write.do(fmt.Sprint("put ", small/2))
	expectStamped(t, r, 0, small/2)
	write.fails(ring.ErrFrameTooLarge, fmt.Sprint("put ", small/2+1))
	write.fails(fmt.Errorf("%d bytes, the ring's frame limit is %d", small/2+1, small/2), fmt.Sprint("put ", small/2+1))
}

// Check what a commit stores in the file and when: nothing before it and nothing by an
// abort, padding with the frame behind it, a word that reads as the position and the
// kind, and the shared tail late, which no reader waits for.
func TestCommitInTheFile(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir})
	file := openRing(t, dir)
	unseen := func(position uint64) {
		t.Helper()
		file.wantCommit(position, 0)
		if r.Ready() {
			t.Errorf("something is to be read at position %d before a commit", position)
		}
	}
	write.do("claim 40")
	unseen(0)
	write.fails(ring.ErrClaimOpen, "claim 40")
	write.do("abort")
	unseen(0)
	n := uint64(0)
	put := func(length int) {
		t.Helper()
		write.do(fmt.Sprint("put ", length))
		expectStamped(t, r, n, length)
		n++
	}
	for range small/64 - 2 {
		put(40)
		at := 64 * (n - 1)
		file.wantCommit(at, at|uint64(proto.KindData))
		file.wantCommit(64*n, 0)
		tail := file.of(proto.WrTail)
		if behind := 64*n - tail; behind > small/4 {
			t.Fatalf("tail %d after a commit up to %d", tail, 64*n)
		}
	}
	if tail := file.of(proto.WrTail); tail == 64*n {
		t.Error("the last frame moved the tail: this test proves nothing about who polls it")
	}
	wrap := uint64(small)
	for range 2 {
		write.do("claim 100")
		unseen(wrap - 128)
		write.do("abort")
		put(40)
		write.do("claim 40")
		write.do("abort")
		write.do("claim 100") // does not fit before the wrap any more
		unseen(wrap - 64)
		file.wantCommit(wrap, (wrap-small)|uint64(proto.KindData)) // of the lap before
		write.do("abort")
		unseen(wrap - 64)
		write.do("claim 100")
		write.do("commit")
		file.wantCommit(wrap-64, (wrap-64)|uint64(proto.KindPadding))
		if f := expectStamped(t, r, n, 100); f.Position() != wrap {
			t.Errorf("the frame behind the padding stands at %d, want %d", f.Position(), wrap)
		}
		n++
		for range small/64 - 4 {
			put(40)
		}
		wrap += small
	}
}

// Check that a group, and a batch, appear all or not at all: a writer that is killed
// with one claimed and written leaves no frame of it, one that commits leaves all.
func TestGroupOfAKilledWriter(t *testing.T) {
	for _, claim := range []string{"group 40 1000 0", "batch 40"} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		r := dial(t, "x", ReaderConfig{Dir: dir})
		write.do("put 40 16") // up to a mark: the tail is stored here and then trails
		for n := range uint64(16) {
			expectStamped(t, r, n, 40)
		}
		write.do(claim)
		if r.Ready() {
			t.Errorf("%s: a frame before the commit", claim)
		}
		write.kill()
		write = told(t, dir, "listen -capacity 65536")
		if got := write.do("put 40 0"); got != "" || openRing(t, dir).of(proto.WrNumber) != 16 {
			t.Errorf("%s: the successor goes on at frame %d, want 16", claim, openRing(t, dir).of(proto.WrNumber))
		}
		size := write.do(claim)
		frames := uint64(3)
		if size != "" {
			frames = 5
		}
		write.say("die") // commits on the way
		write.answer()
		write.kill()
		told(t, dir, "listen -capacity 65536")
		if got := openRing(t, dir).of(proto.WrNumber); got != 16+frames {
			t.Errorf("%s: the successor goes on at frame %d, want %d", claim, got, 16+frames)
		}
		for i := range frames {
			f, err := r.Next(t.Context())
			if err != nil || f.Number() != 16+i || !stamped(f.Payload(), 16+i) || f.More() != (frames == 3 && i < 2) {
				t.Fatalf("%s: frame %v, %v, want number %d", claim, f, err, 16+i)
			}
		}
	}
}

// Check that everything a header says crosses, and that the payload behind it starts at
// a line of its own.
func TestHeaderInTheFile(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	park, stream := dial(t, "x", ReaderConfig{Dir: dir}), dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})
	write.do("put 1")
	write.do("rich")
	for _, r := range []*Reader{park, stream} {
		expectStamped(t, r, 0, 1)
		f := expectStamped(t, r, 1, 96)
		got, want := f.Header(), richHeader()
		want.Kind, want.Number, want.PayloadLen, want.Flags = proto.KindData, 1, 96, got.Flags
		if got != want {
			t.Errorf("header %+v, want %+v", got, want)
		}
		if at := got.HeadBytes(); at%proto.LineBytes != 0 || f.End() != f.Position()+at+128 {
			t.Errorf("payload at %d of a frame from %d to %d", at, f.Position(), f.End())
		}
	}
}

// Check that payload of an earlier lap never passes for a frame: wherever the frames of
// the next lap end, each line behind them holds what would be the right commit word.
func TestOldPayloadInTheFile(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir})
	stream := dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})
	file, n := openRing(t, dir), uint64(0)
	put := func(frames uint64, lines ...string) {
		t.Helper()
		for _, line := range lines {
			write.do(line)
		}
		for range frames {
			for _, r := range []*Reader{r, stream} {
				if f, err := r.Next(t.Context()); err != nil || f.Number() != n {
					t.Fatalf("after %q: frame %v, %v, want number %d", lines, f, err, n)
				}
			}
			n++
		}
		if err := errors.Join(r.Release(), stream.Release()); err != nil {
			t.Fatal(err)
		}
		if r.Ready() {
			t.Fatalf("after %q: word %#x at position %d passes for a frame", lines, file.commit(r.Position()), r.Position())
		}
	}
	for range 3 {
		for range 5 {
			put(1, "poison 16000")
		}
		for i := range 20 {
			put(1, fmt.Sprint("put ", i*64%1500))
			put(1, "rich")
			put(3, "group 40 1000 0", "commit")
			put(1, "batch 400", "abort", "put 400")
			frames, err := strconv.ParseUint(write.do("batch 400"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			put(frames, "commit")
		}
	}
}

// Check that what no writer leaves in a file ends a reader in another process with
// ErrCorrupt, and not the process: words and headers that are out of bounds in every way.
func TestCorruptFile(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir})
	publish(t, w, 0, 1020) // the frame spoilt stands four lines before the wrap
	c, err := w.Claim(t.Context(), proto.F64, 5)
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
	file, at := openRing(t, dir), uint64(1020*64)
	for what, spoilt := range map[string]struct{ field, word uint64 }{
		"rubbish":               {proto.FrCommit, 0x5555555555555555},
		"no kind":               {proto.FrCommit, at},
		"frame of another lap":  {proto.FrCommit, at + small | uint64(proto.KindData)},
		"beyond the limit":      {proto.FrDescribe, proto.Describe(small/4+8, proto.F64, 1, 0)},
		"beyond the wrap":       {proto.FrDescribe, proto.Describe(4*64, proto.F64, 1, 0)},
		"no dtype":              {proto.FrDescribe, proto.Describe(40, 99, 1, 0)},
		"half an element":       {proto.FrDescribe, proto.Describe(44, proto.F64, 1, 0)},
		"extension of nonsense": {proto.FrDescribe, proto.Describe(40, proto.F64, 3, proto.FlagExtended)},
		"all ones":              {proto.FrDescribe, 1<<64 - 1},
	} {
		at := at
		if what == "beyond the limit" {
			at = 20 * 64 // far from the wrap
		}
		t.Run(what, func(t *testing.T) {
			for _, attach := range []string{"dial", "dial -wake stream", "observe"} {
				p := told(t, dir, attach)
				off := file.at(at) + spoilt.field
				p.do(fmt.Sprint("next ", at/64))
				whole := file.word(off)
				file.store(off, spoilt.word)
				p.fails(ring.ErrCorrupt, "next")
				p.do("close")
				file.store(off, whole)
			}
		})
	}
	p := told(t, dir, "dial")
	if got := p.do("next 1021"); got != "1020 0" {
		t.Errorf("after all was mended the last frame is %q, want 1020, none lost", got)
	}
}
