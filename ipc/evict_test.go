//go:build linux

package ipc

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// Check that a stopped reader that agreed to a limit is evicted when it holds up a
// full ring, that its slot is not given to another while its process lives, and
// that it learns of it once it goes on.
func TestStoppedReaderEvicted(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Slots: 2})
	slow := spawn(t, "read", "-dir", dir, "-evict", "20ms", "-elements", "1", "-stop-after", "1", "-zero")
	slow.expect("attached")
	publishZeros(t, w, 1)
	slow.expect("stopped")
	if err := slow.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	publishZeros(t, w, 3000) // more than the ring holds: ends only by the eviction
	until(t, "the eviction is counted", func() bool { return w.State().Evictions == 1 })
	r := dial(t, "x", ReaderConfig{Dir: dir, Start: proto.StartLatest})
	_, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Code != proto.CodeTableFull {
		t.Errorf("the slot of a stopped reader was let again: %v", err)
	}
	if err := errors.Join(slow.cmd.Process.Signal(syscall.SIGCONT), r.Close()); err != nil {
		t.Fatal(err)
	}
	slow.say("go on")
	if got := slow.expect("failed"); got != "evicted" {
		t.Errorf("evicted reader said %q", got)
	}
	slow.wait()
	// Both slots are free again, as soon as the server has noticed.
	dial(t, "x", ReaderConfig{Dir: dir, Start: proto.StartLatest})
	until(t, "the evicted reader's slot is free", func() bool {
		r, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, Start: proto.StartLatest})
		if err == nil {
			r.Close()
		}
		return err == nil
	})
}

// until looks again and again, for ten seconds at most.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func publishZeros(t *testing.T, w *Writer, n int) {
	t.Helper()
	for range n {
		c, err := w.Claim(t.Context(), proto.F64, 1)
		if err != nil {
			t.Fatal(err)
		}
		c.Float64s()[0] = 0
		c.Commit()
	}
}

func cut(t *testing.T, r *Reader) {
	t.Helper()
	if err := unix.Shutdown(r.session.control.sock.fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
}

// Check that a reader whose connection is cut, while its process lives, gates on
// and takes its slot up again where it is.
func TestConnectionCut(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir})
	r := dial(t, "x", ReaderConfig{Dir: dir})
	publish(t, w, 0, 10)
	expectFrames(t, r, 0, 5)
	cut(t, r)
	until(t, "the cut is noticed", func() bool {
		readers := w.Readers()
		return len(readers) == 1 && readers[0].State == proto.SlotLost
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	full := make(chan error)
	go func() { full <- write(ctx, w, 10, 5000) }()
	until(t, "the writer is blocked", func() bool { _, blocked := w.Blocked(); return blocked })
	expectFrames(t, r, 5, 5000)
	if err := <-full; err != nil {
		t.Error(err)
	}
	sleepOnce(t, r)
	if readers := w.Readers(); len(readers) != 1 || readers[0].State != proto.SlotActive {
		t.Errorf("readers %+v, want one that is active", readers)
	}
}

// sleepOnce lets the reader wait for a frame that does not come, so that it looks
// at its socket.
func sleepOnce(t *testing.T, r *Reader) {
	t.Helper()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Next(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want that of the context", err)
	}
}

// Check that a reader in stream mode whose connection is cut goes on where it is,
// in another slot.
func TestStreamConnectionCut(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir})
	r := dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})
	publish(t, w, 0, 10)
	expectFrames(t, r, 0, 5)
	cut(t, r)
	expectFrames(t, r, 5, 10)
	sleepOnce(t, r)
	publish(t, w, 10, 20)
	expectFrames(t, r, 10, 20)
	if readers := w.Readers(); len(readers) != 1 || readers[0].State != proto.SlotActive {
		t.Errorf("readers %+v, want one that is active", readers)
	}
}

// Check that a cut reader that does not come back within the grace gates no longer,
// keeps its slot from others while its process lives, and learns that it lost
// frames, or goes on if it did not.
func TestConnectionCutForLong(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Slots: 1})
	r := dial(t, "x", ReaderConfig{Dir: dir})
	publish(t, w, 0, 10)
	expectFrames(t, r, 0, 5)
	cut(t, r)
	publish(t, w, 10, 5000) // ends only when the reader gates no longer
	if _, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir}); !errors.Is(err, ErrRefused) {
		t.Errorf("the slot of a living process was let again: %v", err)
	}
	for n := 5; ; n++ {
		f, err := r.Next(t.Context())
		if errors.Is(err, ErrEvicted) {
			return
		}
		if err != nil || f.Number() != uint64(n) || f.Float64s()[0] != float64(n) && f.Valid() {
			t.Fatalf("frame %d: %v, %v", n, f, err)
		}
	}
}

// Check that the slot of an evicted reader that hangs up, while its process lives,
// is not given to another.
func TestEvictedSlotKept(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Slots: 1})
	r := dial(t, "x", ReaderConfig{Dir: dir, EvictAfter: time.Millisecond})
	publish(t, w, 0, 5000)
	until(t, "the eviction is counted", func() bool { return w.State().Evictions == 1 })
	cut(t, r)
	for range 3 { // the first is served after the hang-up at the latest
		if _, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir}); !errors.Is(err, ErrRefused) {
			t.Errorf("the slot of a living process was let again: %v", err)
		}
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, ErrEvicted) {
		t.Errorf("error %v, want ErrEvicted", err)
	}
}

// Check that the slot of an evicted reader that closes is free at once, though its
// process lives and it never read that it was evicted.
func TestEvictedReaderLeavesItsSlot(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Slots: 1})
	for cycle := range uint64(5) {
		r := dial(t, "x", ReaderConfig{Dir: dir, EvictAfter: time.Millisecond, Start: proto.StartLatest})
		publish(t, w, 0, 5000)
		until(t, "the eviction is counted", func() bool { return w.State().Evictions == cycle+1 })
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		until(t, "the slot is free", func() bool { return len(w.Readers()) == 0 })
	}
}
