//go:build linux

package ipc

import (
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

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
	one := newHand(t, dir, "GOMAXPROCS=1")
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
	two := newHand(t, dir, "GOMAXPROCS=2")
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

// Check that a reader whose spinning does not pay spins less from wait to wait: by the
// processor time it takes until it parks.
func TestSpinningShrinks(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one processor: nobody spins")
	}
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	read := newHand(t, dir, "GOMAXPROCS=2")
	read.do("dial -spin 50ms")
	used := func() (us int) {
		t.Helper()
		if _, err := fmt.Sscan(read.do("cpu"), &us); err != nil {
			t.Fatal(err)
		}
		return us
	}
	var waits []int
	for range 8 {
		before := used()
		read.say("next")
		until(t, "the reader parks", func() bool { return parkedIn(t, dir) })
		write.do("put 40")
		read.done("next")
		waits = append(waits, used()-before)
	}
	if first, last := waits[0], waits[len(waits)-1]; last > first/4 {
		t.Errorf("waits that did not pay took %v µs of processor time each, want fewer and fewer", waits)
	}
}

// rounds goes on for as many rounds as one race against a sleeper is given, or for some
// seconds of a busy machine.
func rounds(t *testing.T) iter.Seq[uint64] {
	if runtime.NumCPU() < 2 {
		t.Skip("one processor: nobody goes to sleep while another runs")
	}
	return func(yield func(uint64) bool) {
		begin := time.Now()
		for n := uint64(0); n < 10000 && time.Since(begin) < 5*time.Second && yield(n); n++ {
		}
	}
}

// Check that a frame committed at the moment at which its reader goes to sleep wakes it,
// whatever the moment: a reader that leaves the fence to membarrier, and one that can do
// neither, so that the writer must fence for its sake.
func TestCommitAgainstSleep(t *testing.T) {
	for _, plain := range []bool{false, true} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		f := &roleFlags{ctx: t.Context(), dir: dir, ring: "x", spin: -1, plain: plain}
		r, err := f.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		write.say("drip")
		late, all := 0, 0
		for n := range rounds(t) {
			expectStamped(t, r, n, 1000)
			if all++; r.session.parker.overslept() {
				late++
				r.session.parker.timeout = false // told once
			}
			if err := r.Release(); err != nil {
				t.Fatal(err)
			}
			if rescues := r.Rescues(); rescues > 1 { // one may be a machine that stood still
				t.Fatalf("without membarrier %v: %d sleeps were ended by the safety interval up to frame %d", plain, rescues, n)
			}
		}
		if late > 3 && late > all/10 { // rung or not
			t.Errorf("without membarrier %v: %d of %d frames came by the safety interval", plain, late, all)
		}
		write.say("stop")
		write.done("drip")
	}
}

// Check that room made at the moment at which the writer goes to sleep at the gate wakes
// it, whatever the moment.
func TestReleaseAgainstSleep(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Spin: -1})
	read := told(t, dir, "dial -spin -1ns")
	read.say("sip")
	rescues, all := 0, uint64(0)
	for n := range rounds(t) {
		before := w.State().Blocks
		c, err := w.Claim(t.Context(), proto.U8, 40)
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
		if w.State().Blocks != before && w.parker.overslept() {
			rescues++
		}
		if all = n; rescues > 1 { // one may be a machine that stood still
			t.Fatalf("%d sleeps at the gate were ended by the safety interval up to frame %d", rescues, n)
		}
	}
	if blocks := w.State().Blocks; blocks < all/20 {
		t.Errorf("the writer slept %d times at the gate for %d frames: this test proves little", blocks, all)
	}
	read.say("stop")
	read.done("sip")
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
