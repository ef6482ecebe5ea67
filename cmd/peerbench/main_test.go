package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// TestMain makes this test binary the program of its sides.
func TestMain(m *testing.M) {
	if bench.Assigned() {
		all := roles()
		maps.Copy(all, map[string]bench.Role{"pinned": pinnedSide})
		if err := bench.Serve(all, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// testHost is a host whose folders lie in one of this test.
func testHost(t *testing.T) *bench.Host {
	t.Helper()
	host, err := bench.NewHost()
	if err != nil {
		t.Fatal(err)
	}
	host.Dir, err = os.MkdirTemp("/dev/shm", "peerbench-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := filepath.Glob(filepath.Join(host.Dir, "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		os.RemoveAll(host.Dir)
	})
	return host
}

// pinnedSide pins its process and returns how many CPUs each thread may use,
// one that starts afterwards included.
func pinnedSide(side *bench.Side) (any, error) {
	var cpu int
	if err := side.Params(&cpu); err != nil {
		return nil, err
	}
	if err := pinProcess(cpu); err != nil {
		return nil, err
	}
	started, done := make(chan bool), make(chan bool)
	go func() {
		runtime.LockOSThread()
		started <- true
		<-done
	}()
	<-started
	defer close(done)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	var counts []int
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(tid, &set); err != nil {
			return nil, err
		}
		counts = append(counts, set.Count())
	}
	return counts, nil
}

// Check that every thread of a side is pinned, not only the one that asks for
// it: the others carry the goroutines that receive.
func TestPinProcessReachesEveryThread(t *testing.T) {
	host := testHost(t)
	if len(host.CPUs) == 0 {
		t.Skip("a process can only be pinned where there is more than one CPU")
	}
	var counts []int
	job := bench.Job{Seats: []bench.Seat{{Role: "pinned", CPU: bench.Unpinned}}, Params: host.CPUs[0]}
	if err := host.Carry(t.Context(), job, &counts); err != nil {
		t.Fatal(err)
	}
	if len(counts) < 2 {
		t.Fatalf("%d threads, too few to tell", len(counts))
	}
	for _, n := range counts {
		if n != 1 {
			t.Errorf("threads may use %v CPUs, not 1 each", counts)
			break
		}
	}
}

// Check that a command line which asks for nothing measurable is refused.
func TestParseOptionsRefuses(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-time", "0s"}, {"-time", "-1s"}, {"unix"}} {
		if o, err := parseOptions(args, io.Discard); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q gives %+v, %v", args, o, err)
		}
	}
	if _, err := parseOptions([]string{"-no-such"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("unknown flag gives %v", err)
	}
}

// Check that a name which is no peer is refused, and that names keep their order.
func TestChosenPeers(t *testing.T) {
	if _, err := chosenPeers("unix,carrier_pigeon"); err == nil {
		t.Error("an unknown peer is accepted")
	}
	chosen, err := chosenPeers("unix,ndring")
	if err != nil || len(chosen) != 2 || chosen[0].name != "unix" || chosen[1].name != "ndring" {
		t.Errorf("chosen are %v, %v", chosen, err)
	}
}
