//go:build linux

package ipc

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Check that locked pages are locked in both processes' mappings, and that huge
// pages are really mapped where the kernel can make them.
func TestMemory(t *testing.T) {
	dir := testDir(t)
	how := Memory{Locked: os.Geteuid() == 0, Huge: true}
	w, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: proto.HugeFromBytes, FreeRun: true, Memory: how})
	if err != nil {
		t.Skipf("huge pages: %v", err)
	}
	defer w.Close(t.Context())
	r, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, Memory: how})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	huge, locked := 0, 0
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[1] == "65536" && f[0] == "ShmemPmdMapped:" {
			huge++
		}
		if len(f) == 3 && f[0] == "Locked:" && len(f[1]) >= 5 {
			locked++
		}
	}
	if huge != 2 || how.Locked && locked < 2 {
		t.Fatalf("%d huge and %d locked mappings of 64 MiB, want 2 of each", huge, locked)
	}
}

// Check that a ring too small for huge pages is refused and leaves nothing behind.
func TestHugeTooSmall(t *testing.T) {
	dir := testDir(t)
	_, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 20, Memory: Memory{Huge: true}})
	if !errors.Is(err, proto.ErrGeometry) {
		t.Fatalf("error %v, want ErrGeometry", err)
	}
	if left := filesIn(t, dir); len(left) != 0 {
		t.Fatalf("left behind: %q", left)
	}
}
