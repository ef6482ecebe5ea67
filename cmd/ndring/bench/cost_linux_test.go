package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// costFrames fit into the ring, so that the writer never waits.
const costFrames = 2000

// Marks of the measured part in a trace of system calls: writes to no descriptor.
const (
	costBegin = "cost begins"
	costEnd   = "cost ends"
)

func mark(text string) { unix.Write(-1, []byte(text)) }

// costSide passes frames on a locked thread, between two marks in a trace, and
// returns the heap objects that many frames take on this side. Side 0 writes; side 1
// reads when it is done, so that nobody ever waits for a frame.
func costSide(s *Side) (any, error) {
	defer lockThread()()
	var p wiring
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	pass, err := p.passFrames(s)
	if err != nil {
		return nil, err
	}
	var first int
	var failed error
	run := func() {
		for turn := range 2 {
			if turn == s.Index {
				mark(costBegin)
				err := pass(first)
				mark(costEnd)
				failed = errors.Join(failed, err)
			}
			s.Meet()
		}
		first += costFrames
	}
	s.Meet()
	objects := math.Inf(1)
	for range 5 { // the least: the runtime allocates for itself now and then
		objects = min(objects, testing.AllocsPerRun(1, run))
	}
	if s.Index == 1 && objects != 0 {
		failed = errors.Join(failed, fmt.Errorf("the reader takes %v objects for %d frames", objects, costFrames))
	}
	return objects, failed
}

// passFrames writes, or reads, costFrames frames from a first one on.
func (p wiring) passFrames(s *Side) (func(first int) error, error) {
	frames := rateParams{RingRate: RingRate{PayloadBytes: 40, Touch: true}}
	if s.Index == 1 {
		r, err := p.dial("x")
		return func(first int) error { return frames.read(r, first, costFrames) }, err
	}
	w, err := p.listen("x")
	return func(first int) error { return frames.write(w, first, costFrames) }, err
}

// costJob lets two sides pass frames and returns the objects that the writer's take.
func costJob(t *testing.T, host *Host) (objects float64) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector allocates and waits on its own account")
	}
	t.Setenv("GODEBUG", "asyncpreemptoff=1") // its signals end in a system call
	seats := []Seat{{"cost", Unpinned}, {"cost", Unpinned}}
	err := host.carryRings(t.Context(), Job{Seats: seats}, func(dir string) any {
		return wiring{Dir: dir, Capacity: 1 << 20, Spin: awake}
	}, &objects)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// Check that a frame takes no heap memory on its way from one process to another.
func TestNoAllocations(t *testing.T) {
	if objects := costJob(t, testHost(t)); objects != 0 {
		t.Errorf("%v objects in %d frames, want none", objects, costFrames)
	}
}

// Check that neither side makes a system call for a frame while both keep up, as
// strace sees them: none lies between the marks.
func TestNoSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("NDRING_REQUIRE_ALL") != "" {
			t.Fatal("strace is not installed: apt-get install strace")
		}
		t.Skip("strace is not installed: apt-get install strace")
	}
	host, trace := testHost(t), filepath.Join(t.TempDir(), "trace")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host.Program, host.Args = strace, []string{"-ff", "-o", trace, program}
	costJob(t, host)
	files, _ := filepath.Glob(trace + ".*")
	marked := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(costBegin)) {
			marked++
			checkTrace(t, string(text))
		}
	}
	if marked != 2 {
		t.Errorf("%d of %d traced threads are marked, want one of each side", marked, len(files))
	}
}

// checkTrace looks between the marks of one thread. Go's scheduler wakes threads of
// its own by futex now and then; ring and ipc never use one.
func checkTrace(t *testing.T, text string) {
	t.Helper()
	inside, runs := false, 0
	for line := range strings.Lines(text) {
		switch {
		case strings.Contains(line, costBegin):
			inside, runs = true, runs+1
		case strings.Contains(line, costEnd):
			inside = false
		case inside && !strings.Contains(line, "futex("):
			t.Errorf("system call in run %d: %s", runs, strings.TrimSpace(line))
		}
	}
	if runs == 0 {
		t.Error("no marks in the trace")
	}
}
