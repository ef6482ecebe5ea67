package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testRoles are the parts of this file's tests.
func testRoles() map[string]Role {
	return map[string]Role{
		"fail":        func(*Side) (any, error) { return nil, errors.New("a cause worth reading") },
		"spin":        spinSide,
		"add":         addSide,
		"cpus":        func(*Side) (any, error) { return usableCPUs() },
		"garble":      func(*Side) (any, error) { return "not a number", nil },
		"hold":        holdSide,
		"cost":        costSide,
		"coordinator": coordinatorSide,
	}
}

// spinSide waits for a word that nobody writes.
func spinSide(s *Side) (any, error) {
	awaitSpinning(word(s.Shared, 0), 1)
	return nil, nil
}

// addSide adds a parameter to a shared word, side after side.
func addSide(s *Side) (any, error) {
	var add uint64
	if err := s.Params(&add); err != nil {
		return nil, err
	}
	w := word(s.Shared, 0)
	for turn := range s.Count {
		if turn == s.Index {
			storeRelease(w, atomic.LoadUint64(w)+add)
		}
		s.Meet()
	}
	return atomic.LoadUint64(w), nil
}

// holdSide opens the named pipe it is given, writes its pid and spins.
func holdSide(s *Side) (any, error) {
	var path string
	if err := s.Params(&path); err != nil {
		return nil, err
	}
	pipe, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(pipe, os.Getpid())
	return spinSide(s)
}

// coordinatorSide starts a holder and waits for it, as a run would.
func coordinatorSide(s *Side) (any, error) {
	var path string
	if err := s.Params(&path); err != nil {
		return nil, err
	}
	host, err := NewHost()
	if err != nil {
		return nil, err
	}
	return nil, host.Carry(context.Background(), Job{Seats: []Seat{{"hold", Unpinned}}, SharedBytes: 8, Params: path}, nil)
}

// Check that sides share memory, get the parameters, pass every meeting
// together and that the first one's reply comes back.
func TestCarry(t *testing.T) {
	seats := []Seat{{"add", Unpinned}, {"add", Unpinned}, {"add", Unpinned}}
	var sum uint64
	if err := testHost(t).Carry(t.Context(), Job{Seats: seats, SharedBytes: 8, Params: 5}, &sum); err != nil {
		t.Fatal(err)
	}
	if sum != 15 {
		t.Errorf("sum is %d, want 15", sum)
	}
}

// Check that a side that fails takes along one that waits for it for ever,
// and that its own words are in the error.
func TestCarryEndsAllSides(t *testing.T) {
	for _, seats := range [][]Seat{
		{{"fail", Unpinned}, {"spin", Unpinned}},
		{{"spin", Unpinned}, {"fail", Unpinned}},
	} {
		err := testHost(t).Carry(t.Context(), Job{Seats: seats, SharedBytes: 8}, nil)
		if err == nil || !strings.Contains(err.Error(), "a cause worth reading") {
			t.Errorf("error of %v is %v", seats, err)
		}
	}
}

// Check that cancelling ends the sides and is the error.
func TestCarryCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	err := testHost(t).Carry(ctx, Job{Seats: []Seat{{"spin", Unpinned}}, SharedBytes: 8}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

// Check that a part nobody plays, a program that is not there, too many
// sides, no side and an unreadable reply are errors that say so.
func TestCarryRefuses(t *testing.T) {
	host, seat := testHost(t), Seat{"garble", Unpinned}
	missing := *host
	missing.Program = filepath.Join(t.TempDir(), "absent")
	var number int
	for _, c := range []struct {
		host *Host
		job  Job
		want string
	}{
		{host, Job{Seats: []Seat{{"nobody", Unpinned}}}, ErrRole.Error()},
		{&missing, Job{Seats: []Seat{seat}}, "absent"},
		{host, Job{}, "0 sides"},
		{host, Job{Seats: make([]Seat, maxSides+1)}, "65 sides"},
		{host, Job{Seats: []Seat{seat}}, "decode the reply"},
		{host, Job{Seats: []Seat{seat}, Params: func() {}}, "encode parameters"},
		{host, Job{Seats: []Seat{{"cpus", 4095}}}, "CPU 4095"},
	} {
		if err := c.host.Carry(t.Context(), c.job, &number); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error of %+v is %v, want one with %q", c.job.Seats, err, c.want)
		}
	}
}

// Check that a pinned side has its CPU alone, and that the coordinator keeps
// the ones it had.
func TestCarryPins(t *testing.T) {
	before, err := usableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	for _, cpu := range before {
		var got []int
		if err := testHost(t).Carry(t.Context(), Job{Seats: []Seat{{"cpus", cpu}}}, &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0] != cpu {
			t.Errorf("the side on CPU %d may use %v", cpu, got)
		}
	}
	if after, err := usableCPUs(); err != nil || len(after) != len(before) {
		t.Errorf("the coordinator may use %v, %v, before %v", after, err, before)
	}
}

// Check that neither a good end nor a bad one leaves a descriptor open.
func TestCarryClosesDescriptors(t *testing.T) {
	host := testHost(t)
	run := func() {
		var sum uint64
		if err := host.Carry(t.Context(), Job{Seats: []Seat{{"add", Unpinned}, {"add", Unpinned}}, SharedBytes: 8, Sockets: true, Params: 1}, &sum); err != nil {
			t.Fatal(err)
		}
		if err := host.Carry(t.Context(), Job{Seats: []Seat{{"fail", Unpinned}}, Sockets: true}, nil); err == nil {
			t.Fatal("no error")
		}
	}
	run() // the runtime opens descriptors of its own at first
	before := openDescriptors(t)
	run()
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors became %d", before, after)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Check that a killed coordinator takes its spinning sides along: the pipe
// that one of them holds open ends.
func TestSidesDieWithCoordinator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	host := testHost(t)
	shared, err := createShared(host.Dir, meetingBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	params, err := json.Marshal(path)
	if err != nil {
		t.Fatal(err)
	}
	coordinator := member{role: "coordinator"}
	a := assignment{Role: coordinator.role, Count: 1, Params: params}
	if err := coordinator.start(t.Context(), host, Unpinned, a, []*os.File{shared}); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	var pid int
	if _, err := fmt.Fscanln(pipe, &pid); err != nil {
		t.Fatal(err)
	}
	if err := coordinator.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := coordinator.wait(); !errors.As(err, &exit) {
		t.Errorf("the coordinator ended with %v", err)
	}
	rescue := time.AfterFunc(20*time.Second, func() {
		t.Errorf("side %d still lives", pid)
		unix.Kill(pid, unix.SIGKILL)
	})
	defer rescue.Stop()
	if _, err := io.Copy(io.Discard, pipe); err != nil {
		t.Error(err)
	}
}

// Check that space that is not there is an error that names it.
func TestCreateSharedTooLarge(t *testing.T) {
	f, err := createShared(testHost(t).Dir, 1<<50)
	if err == nil {
		f.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "1125899906842624 bytes") {
		t.Errorf("error is %v", err)
	}
}
