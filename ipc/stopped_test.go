//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

// roleVictim reads with little patience asked of its writer, and again as soon as it
// was evicted, until the ring ends. Whatever it is allowed to give back must be whole.
func roleVictim(args []string) error {
	f, err := parseRole("victim", args)
	if err != nil {
		return err
	}
	f.from = "latest"
	for {
		r, err := f.dial()
		if err != nil {
			return err
		}
		fmt.Println("attached", r.session.welcome.Slot)
		if err = f.readUntilEvicted(r); !errors.Is(err, ErrEvicted) {
			return errors.Join(ignoreEOF(err), r.Close())
		}
		if err := r.Close(); err != nil {
			return err
		}
		fmt.Println("evicted")
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func (f *roleFlags) readUntilEvicted(r *Reader) error {
	for {
		frame, err := r.Next(f.ctx)
		if err != nil {
			return err
		}
		number, values := frame.Number(), frame.Float64s()
		wrong := checkFrame(number, number, values, f.elements)
		for range 200 { // it is nearly always stopped with a frame in hand
			_ = values[0]
		}
		if err := r.Release(); err != nil {
			return err
		}
		if wrong != nil {
			return fmt.Errorf("torn frame given back as whole: %w", wrong)
		}
	}
}

// readOwn reads n frames and demands before each release that the cursor of its slot is
// what it stored last: nobody else stores there.
func readOwn(t *testing.T, r *Reader, n int) {
	t.Helper()
	for range n {
		f, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := checkFrame(f.Number(), f.Number(), f.Float64s(), 1); err != nil {
			t.Fatal(err)
		}
		if cursor := r.session.table.Slot(int(r.session.welcome.Slot)).Cursor; cursor != r.Position() {
			t.Fatalf("cursor %d in slot %d, its reader stored %d", cursor, r.session.welcome.Slot, r.Position())
		}
		if err := r.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// Check that a reader that is stopped while it reads is evicted, that whoever attaches
// meanwhile gets another slot, and that the stopped one, once it goes on, neither
// touches a cursor that is not its own nor takes a torn frame for a whole one. Long
// form: the number of cycles in NDRING_EVICTIONS.
func TestStopEvictResume(t *testing.T) {
	cycles := soak(t, "NDRING_EVICTIONS", 10)
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Capacity: proto.MinCapacityBytes, Slots: 8})
	honest := dial(t, "x", ReaderConfig{Dir: dir})
	victim := spawn(t, "victim", "-dir", dir, "-evict", "5ms", "-elements", "1")
	victim.expect("attached")
	written := uint64(0)
	flow := func(n int) { // with an honest reader that keeps up
		t.Helper()
		for range n {
			c, err := w.Claim(t.Context(), proto.F64, 1)
			if err != nil {
				t.Fatal(err)
			}
			c.Float64s()[0] = valueOf(written, 0)
			c.Commit()
			written++
		}
		readOwn(t, honest, n)
	}
	begin, told := time.Now(), uint64(0)
	for cycle := 0; cycle < cycles; {
		flow(300 + cycle*37%500)
		before := w.State().Evictions
		if err := victim.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for w.State().Evictions == before { // it holds the ring
			flow(100)
		}
		kept := evictedSlots(w)
		other := dial(t, "x", ReaderConfig{Dir: dir, Start: proto.StartLatest})
		if slot := int(other.session.welcome.Slot); slices.Contains(kept, slot) {
			t.Fatalf("cycle %d: slot %d of a stopped reader was let again", cycle, slot)
		}
		if err := victim.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			flow(50)
			readOwn(t, other, 50)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		for ; told < w.State().Evictions; told++ {
			victim.expect("evicted")
			victim.expect("attached")
		}
		if len(kept) > 0 { // else it was slow, and stopped just after an eviction
			cycle++
		}
	}
	t.Logf("%d cycles of stop, eviction and resumption in %v, %d frames, no foreign store to a cursor", cycles, time.Since(begin).Round(time.Millisecond), written)
	if err := honest.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	victim.wait()
}

// evictedSlots are those that their readers have not left yet.
func evictedSlots(w *Writer) []int {
	var slots []int
	for i := range w.store.table.Slots() {
		if w.store.table.Slot(i).State == proto.SlotEvicted {
			slots = append(slots, i)
		}
	}
	return slots
}

// soak is how many rounds a test makes that has a long form: usual, unless the variable
// says otherwise.
func soak(t *testing.T, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseFloat(text, 64) // 1e9 is a count, too
	if err != nil || n < 1 || n > 1<<53 {
		t.Fatalf("%s is %q, want a count such as 2e3", variable, text)
	}
	return int(n)
}

// Check that two processes that never spin wake each other for every frame of a
// ping-pong, and that no sleep is ended by its safety interval. Long form: the number
// of frames in NDRING_PROCESS_PARKS.
func TestSleepersOfTwoProcesses(t *testing.T) {
	trips := soak(t, "NDRING_PROCESS_PARKS", 4000) / 2
	dir := testDir(t)
	w := listen(t, "there", WriterConfig{Dir: dir, Spin: -1})
	echo := spawn(t, "echo", "-dir", dir, "-spin", "-1ns")
	r := dial(t, "back", ReaderConfig{Dir: dir, Spin: -1})
	begin := time.Now()
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
		if err := r.Release(); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(begin).Round(time.Millisecond)
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rescues := echo.expect("rescues")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	echo.wait()
	if rescues != "0" || r.Rescues() != 0 {
		t.Fatalf("%s and %d waits ended by their safety interval though a frame was there", rescues, r.Rescues())
	}
	t.Logf("%d frames between two processes that sleep, 0 rescues, in %v", 2*trips, took)
}
