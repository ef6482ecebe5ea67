//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a successor finds every frame that was committed, also those behind the
// tail that was stored last, and only those; that it says which life it is, and that its
// reader table is a new file that keeps the places of the readers of the life before.
func TestSuccessorOfAKilledWriter(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir, Name: "n", Keep: time.Hour})
	file := openRing(t, dir)
	write.do("put 40 29")
	expectReleased(t, r, 0, 3)
	write.do("claim 40") // and never commit
	if tail := file.of(proto.WrTail); tail >= 29*64 {
		t.Fatalf("tail %d: this test proves nothing about the walk behind it", tail)
	}
	old, err := os.Stat(filepath.Join(dir, "x.readers"))
	if err != nil {
		t.Fatal(err)
	}
	write.kill()
	write = newHand(t, dir)
	if got := write.do("listen -capacity 65536"); got != "2 29" {
		t.Errorf("epoch and next frame %q, want 2 and 29", got)
	}
	table, err := os.Stat(filepath.Join(dir, "x.readers"))
	if err != nil || os.SameFile(old, table) {
		t.Errorf("the reader table is the same file as in the life before (%v)", err)
	}
	s, err := OpenSnapshot(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	readers := s.Readers()
	if len(readers) != 1 || readers[0].Name != "n" || readers[0].Cursor != 3*64 || readers[0].State != proto.SlotLost {
		t.Errorf("readers %+v, want one that is expected back at %d", readers, 3*64)
	}
	s.Close()
	write.do("put 40 5")
	expectReleased(t, r, 3, 31)
	if r.Epoch() != 2 {
		t.Errorf("the reader is in epoch %d, want 2", r.Epoch())
	}
}

// Check that a successor holds the gate for whoever has a slot, named or not, until it
// comes back or the grace ends, and no longer.
func TestGraceOfASuccessor(t *testing.T) {
	for _, c := range []struct {
		grace   string
		returns bool
	}{{"1h", true}, {"1ms", false}} {
		for _, wake := range []string{"park", "stream"} {
			dir := testDir(t)
			write := told(t, dir, "listen -capacity 65536")
			read := told(t, dir, "dial -restart 60s -wake "+wake)
			write.do("put 40 100")
			read.do("next 50") // holds frame 49
			write.kill()
			write = told(t, dir, "listen -capacity 65536 -keep "+c.grace)
			file := openRing(t, dir)
			line := "put 40 2000"
			write.say(line)
			if c.returns {
				until(t, "the successor is blocked", func() bool { return file.of(proto.WrBlockedSince) != 0 })
				file.wantCommit(50*64, 50*64|uint64(proto.KindData))
				if got := read.do("next 2050"); got != "2099 0" {
					t.Errorf("%s: the reader that came back is at frame %q, want 2099", wake, got)
				}
				write.done(line)
				continue
			}
			write.done(line) // though nobody comes
			read.say("next 2050")
			if said, err := read.answer(); err == nil {
				t.Errorf("%s: a reader that came back too late got frame %q", wake, said)
			}
		}
	}
	if DefaultGrace != 5*time.Second {
		t.Errorf("a grace of %v unless asked otherwise, want 5 s", DefaultGrace)
	}
}

// Check that the position a reader comes back with wins over what its slot says: it
// gave frames back in the table of the life before, and gets none of them again.
func TestPositionOfAReturningReader(t *testing.T) {
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake})
		write.do("put 40 100")
		for n := range uint64(50) {
			expectStamped(t, r, n, 40)
		}
		write.kill()
		told(t, dir, "listen -capacity 65536")
		if err := r.Release(); err != nil { // of frame 49, where the successor does not look
			t.Fatal(err)
		}
		expectReleased(t, r, 50, 50)
		if r.Epoch() != 2 {
			t.Errorf("epoch %d, want 2", r.Epoch())
		}
	}
}

// Check that a committed frame whose header does not hold, and a word that is neither
// nothing nor a commit, are not written over unasked: the successor refuses the ring as
// it is, and replaces it when told to.
func TestCorruptLeftover(t *testing.T) {
	for what, spoil := range map[string]struct{ at, field, word uint64 }{
		"header":          {28 * 64, proto.FrDescribe, proto.Describe(1<<40, proto.U8, 1, 0)},
		"number":          {28 * 64, proto.FrNumber, 5},
		"word at the end": {29 * 64, proto.FrCommit, 0x1234},
	} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		write.do("put 40 29")
		write.kill()
		file := openRing(t, dir)
		file.store(file.at(spoil.at)+spoil.field, spoil.word)
		before := contents(t, dir)["x.ring"]
		write = newHand(t, dir)
		write.fails(ring.ErrCorrupt, "listen -capacity 65536")
		if string(contents(t, dir)["x.ring"]) != string(before) {
			t.Errorf("%s: a ring that was refused changed", what)
		}
		if got := write.do("listen -capacity 65536 recreate"); got != "1 0" {
			t.Errorf("%s: recreated in epoch and at frame %q, want 1 and 0", what, got)
		}
	}
}

// Check that a reader gets every frame once, in order and whole, from writers that kill
// themselves right after a commit, life after life, in either wake mode; and that what
// was claimed in between is never seen.
func TestWritersThatDieCommitting(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	readers := []*Reader{dial(t, "x", ReaderConfig{Dir: dir}), dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})}
	n, lengths := uint64(0), []int{40, 0, 5000, 200, 16384}
	for life := range 10 {
		for range life % 3 {
			write.do("claim 300")
			write.do("abort")
		}
		write.do(fmt.Sprint("claim ", lengths[life%len(lengths)]))
		write.say("die")
		write.answer()
		write.kill()
		write = told(t, dir, "listen -capacity 65536")
		for _, r := range readers {
			expectStamped(t, r, n, lengths[life%len(lengths)])
			if err := r.Release(); err != nil {
				t.Fatal(err)
			}
		}
		n++
	}
}

// Check that a reader whose writer is lost gets everything committed, announced or not,
// waits for another writer as long as it was told, and then fails with ErrWriterLost.
func TestLostAfterTheLastFrame(t *testing.T) {
	for range 10 { // the announcement of the last frame is seldom on its way in time
		for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
			dir := testDir(t)
			write := told(t, dir, "listen -capacity 65536")
			r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake, RestartWait: time.Millisecond})
			write.do("put 40")
			expectReleased(t, r, 0, 1)
			write.do("claim 40")
			write.say("die")
			expectReleased(t, r, 1, 1)
			if _, err := r.Next(t.Context()); !errors.Is(err, ErrWriterLost) {
				t.Fatalf("error %v, want ErrWriterLost", err)
			}
			write.kill()
		}
	}
}

// Check that a final position ends the ring for a reader that stands there, and for no
// other: one that waits elsewhere goes on waiting and gets the next frame.
func TestFalseEnd(t *testing.T) {
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake})
		file := openRing(t, dir)
		write.do("put 40 10")
		expectReleased(t, r, 0, 5)
		file.store(file.id.WriterOff+proto.WrFinal, 7*64|1)
		expectReleased(t, r, 5, 5)
		sleepOnce(t, r)
		write.do("put 40")
		expectReleased(t, r, 10, 1)
	}
}
