package tour_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/cmd/ndring/command"
	"github.com/ndring/ndring/cmd/ndring/tour"
)

// failing names, in the environment, the child of the tour that fails: it holds a
// part of its command line.
const failing = "NDRING_TEST_FAILING"

// A process of the tour is this test binary as ndring.
func TestMain(m *testing.M) {
	which, inTour := os.LookupEnv(failing)
	if !inTour {
		os.Exit(m.Run())
	}
	if strings.Contains(strings.Join(os.Args, " "), which) {
		fmt.Fprintln(os.Stderr, "no hands left on deck")
		os.Exit(7)
	}
	os.Exit(command.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// Check that the tour ends when any of its processes fails: it names the process and
// its exit code, shows what this one said and nothing of the others, which it ends, and
// leaves nothing.
func TestChildFails(t *testing.T) {
	for _, which := range []string{"consume results", "--in samples", "produce samples", "bridge --listen", "--in chunks"} {
		t.Run(which, func(t *testing.T) {
			beside := t.TempDir()
			t.Setenv("NDRING_DIR", filepath.Join(beside, "rings"))
			t.Setenv(failing, which)
			var story bytes.Buffer
			err := tour.Run(t.Context(), tour.Options{Frames: 1000, Chunks: 10, Out: &story})
			if !errors.Is(err, tour.ErrFailed) || !strings.Contains(err.Error(), which) || !strings.Contains(err.Error(), "exit status 7") {
				t.Errorf("error %v, want one that names %q and exit status 7", err, which)
			}
			if !strings.Contains(story.String(), "no hands left on deck") {
				t.Errorf("the story does not hold what the process said:\n%s", story.String())
			}
			if n := strings.Count(story.String(), "\n--- "); n != 1 || strings.Contains(story.String(), "context canceled") {
				t.Errorf("the story shows what %d processes said, want the one that failed:\n%s", n, story.String())
			}
			if left, err := os.ReadDir(beside); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
