//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/cmd/stepper/trace"
)

func TestMain(m *testing.M) {
	if played, err := playPart(); played {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// testDir is a private directory for rings that is gone after the test.
func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ndring-stepper-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// needPtrace skips a test where the system forbids tracing, or fails it where that
// must be possible: as root, with all tests due.
func needPtrace(t *testing.T) {
	t.Helper()
	err := stepScript(testDir(t), 0, script.All()[0], newTally())
	if errors.Is(err, trace.ErrDenied) {
		if os.Getenv("NDRING_REQUIRE_ALL") != "" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// Check that after every instruction of the writer's paths a fresh reader, observer
// and writer find the ring whole: nothing torn, nothing lost, nobody stuck.
func TestEveryInstruction(t *testing.T) {
	needPtrace(t)
	total := newTally()
	for i, s := range script.All() {
		if !s.Short {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			if err := stepScript(testDir(t), i, s, total); err != nil {
				t.Error(err)
			}
		})
	}
	var text strings.Builder
	total.print(&text)
	t.Log(text.String())
	for _, path := range []string{"claim", "write", "commit", "wrap", "group commit", "group wrap", "batch commit", "abort", "blocked claim", "drop", "attach", "reattach", "evict", "detach", "recover", "finish"} {
		if total.path(path).steps == 0 {
			t.Errorf("path %q was not stepped", path)
		}
	}
}

// Check that readers get every frame, once and whole, from writers that are killed
// with SIGKILL between two instructions, one after the other.
func TestKilledAtInstructions(t *testing.T) {
	needPtrace(t)
	seed := rand.Uint64()
	hits, err := killAtInstructions(testDir(t), seed, 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("killed: %v, seed %d", hits, seed)
}
