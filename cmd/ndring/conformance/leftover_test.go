//go:build linux

package conformance

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// leftover is the segment of a ring whose writer was killed.
func leftover(t *testing.T) []byte {
	t.Helper()
	dir := privateDir(t)
	start(t, goRole("producer")(t), append([]string{"x", "--dir", dir, "--kill-at", "3"}, crashing()...)...).killed(t)
	segment, err := os.ReadFile(filepath.Join(dir, "x.ring"))
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{".ring", ".readers", ".sock", ".lock"} {
		if err := os.Remove(filepath.Join(dir, "x"+suffix)); err != nil {
			t.Error(err)
		}
	}
	return segment
}

// Check that a producer refuses a left-over ring that was cut short, and that its bytes
// stay.
func TestLeftoverCutShort(t *testing.T) {
	whole := leftover(t)
	for _, l := range languages() {
		for what, size := range map[string]int{"half": len(whole) / 2, "empty": 0} {
			t.Run(l.name+" "+what, func(t *testing.T) {
				dir := privateDir(t)
				segment := filepath.Join(dir, "x.ring")
				if err := os.WriteFile(segment, whole[:size], 0o600); err != nil {
					t.Fatal(err)
				}
				p := start(t, l.producer(t), append([]string{"x", "--dir", dir, "--close-ms", "0"}, crashing()...)...)
				p.await(t)
				if p.cmd.ProcessState.Success() {
					t.Error("the producer replaced it")
				}
				if now, err := os.ReadFile(segment); err != nil || !bytes.Equal(now, whole[:size]) {
					t.Errorf("%d bytes are left of %d, or others: %v", len(now), size, err)
				}
				if err := os.Remove(segment); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Check that a producer does not wait for the other end of a pipe that stands in the
// place of a reader table, and goes on without it.
func TestLeftoverPipe(t *testing.T) {
	whole := leftover(t)
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			dir := privateDir(t)
			if err := os.WriteFile(filepath.Join(dir, "x.ring"), whole, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mkfifo(filepath.Join(dir, "x.readers"), 0o600); err != nil {
				t.Fatal(err)
			}
			r := start(t, goRole("consumer")(t), "x", "--dir", dir)
			start(t, l.producer(t), append([]string{"x", "--dir", dir}, crashing()...)...).succeed(t)
			if got, want := withoutRescues(r.succeed(t)), withoutRescues(expected(t, crashing())); got != want {
				t.Errorf("consumer read\n%s, want\n%s", got, want)
			}
		})
	}
}
