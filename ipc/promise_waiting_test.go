//go:build linux

package ipc

import (
	"runtime"
	"testing"

	"github.com/ndring/ndring/proto"
)

// parkedIn looks from outside whether the reader in slot 0 parks.
func parkedIn(t *testing.T, dir string) bool {
	t.Helper()
	s, err := OpenSnapshot(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	readers := s.Readers()
	return len(readers) == 1 && readers[0].Parked
}

// Check that a reader that may use one processor only does not spin, whatever time it
// was given; and that one that spins for an hour with more lets the garbage collector
// run, and finds the frame that comes at last.
func TestSpinningOfAProcess(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	one := prepare(t, "hand", dir)
	one.cmd.Env = append(one.cmd.Env, "GOMAXPROCS=1")
	one.start()
	one.do("dial -spin 1h")
	one.say("next")
	until(t, "the reader with one processor parks", func() bool { return parkedIn(t, dir) })
	write.do("put 40")
	if got := one.done("next"); got != "0 0" {
		t.Errorf("the reader with one processor woke for %q", got)
	}
	one.do("close")
	if runtime.NumCPU() < 2 {
		t.Skip("one processor: nobody spins")
	}
	two := prepare(t, "hand", dir)
	two.cmd.Env = append(two.cmd.Env, "GOMAXPROCS=2")
	two.start()
	two.do("dial -spin 1h -from latest")
	two.say("next")
	for range 3 {
		two.say("gc")
		two.expect("collected")
	}
	if parkedIn(t, dir) {
		t.Error("a reader that was given an hour to spin parks: this test proves nothing")
	}
	write.do("put 40")
	if got := two.done("next"); got != "1 0" {
		t.Errorf("the reader that spins found %q", got)
	}
}

// rescuedAt commits frames to a ring that a reader in another process empties, both
// without spinning, and counts the sleeps at the gate that only their safety interval
// ended.
func rescuedAt(t *testing.T, w *Writer, frames int) (blocks uint64, rescues int) {
	t.Helper()
	for range frames {
		before := w.State().Blocks
		c, err := w.Claim(t.Context(), proto.U8, small/4)
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
		if w.State().Blocks != before && w.parker.overslept() {
			rescues++
		}
		if rescues > 3 {
			break
		}
	}
	return w.State().Blocks, rescues
}

// Check that a writer that sleeps at the gate is woken by the reader in another process
// that makes room, each time.
func TestSleeperAtTheGate(t *testing.T) {
	const frames = 3000
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Spin: -1})
	read := told(t, dir, "dial -spin -1ns")
	read.say("next 3000")
	blocks, rescues := rescuedAt(t, w, frames)
	if rescues > 0 {
		t.Errorf("%d of %d sleeps at the gate were ended by the safety interval", rescues, blocks)
	}
	if blocks < frames/20 {
		t.Errorf("the writer slept %d times at the gate: this test proves little", blocks)
	}
	read.done("next")
	t.Logf("%d frames, %d sleeps at the gate", frames, blocks)
}

// Check that a reader that can neither skip its fence nor run membarrier, as others of
// the same ring do, is woken for every frame: the writer fences for its sake.
func TestReaderWithoutBarrier(t *testing.T) {
	const trips = 3000
	dir := testDir(t)
	w := listen(t, "there", WriterConfig{Dir: dir, Spin: -1})
	modern := dial(t, "there", ReaderConfig{Dir: dir, Name: "modern"})
	echo := spawn(t, "echo", "-dir", dir, "-spin", "-1ns", "-plain")
	r := dial(t, "back", ReaderConfig{Dir: dir, Spin: -1})
	for n := range uint64(trips) {
		c, err := w.Claim(t.Context(), proto.F64, 5)
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
		f, err := r.Next(t.Context())
		if err != nil || f.Number() != n {
			t.Fatalf("frame %d: %v, %v", n, f, err)
		}
		if _, err := modern.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := modern.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rescues := echo.expect("rescues"); rescues != "0" {
		t.Errorf("%s of %d sleeps were ended by the safety interval", rescues, trips)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	echo.wait()
}

// Check what the handshake says of fences: a writer that skips its own says so, in the
// welcome and in the segment.
func TestFencesOfTheHandshake(t *testing.T) {
	dir := testDir(t)
	told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir})
	said := r.Welcome().Flags&proto.WelcomeAsymmetric != 0
	stored := openRing(t, dir).of(proto.WrFlags)&proto.WriterAsymmetric != 0
	if registered := Register(); said != registered || stored != registered {
		t.Errorf("the writer skips its fence: said %v, stored %v, the kernel allows it: %v", said, stored, registered)
	}
}
