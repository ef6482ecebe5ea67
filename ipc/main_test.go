//go:build linux

package ipc

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleVar names, in the environment of a re-executed test binary, which of roles
// it plays instead of running tests.
const roleVar = "NDRING_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	before := census()
	code := m.Run()
	fuzz := flag.Lookup("test.fuzz") // the process that hands out inputs listens for signals
	if code == 0 && (fuzz == nil || fuzz.Value.String() == "") {
		code = compareCensus(before)
	}
	os.Exit(code)
}

// census counts what a test could leave behind in this process.
func census() map[string]int {
	fds, _ := os.ReadDir("/proc/self/fd")
	maps, _ := os.ReadFile("/proc/self/maps")
	left, _ := filepath.Glob(fmt.Sprintf("/dev/shm/ndring-ipc-%d-*", os.Getpid()))
	eventfds := 0
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.Contains(to, "[eventfd]") {
			eventfds++
		}
	}
	return map[string]int{
		"file descriptors": len(fds), "doorbells": eventfds, "goroutines": runtime.NumGoroutine(),
		"mapped ring files": strings.Count(string(maps), "/dev/shm/"), "directories": len(left),
	}
}

// compareCensus reports what is left, after a while in which goroutines go away.
func compareCensus(before map[string]int) int {
	left := leaks(before)
	for range 200 {
		if len(left) == 0 {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
		left = leaks(before)
	}
	fmt.Fprintln(os.Stderr, strings.Join(left, "\n"))
	pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	return 1
}

func leaks(before map[string]int) []string {
	// The poller of the runtime opens an epoll and an eventfd on first use.
	slack := map[string]int{"file descriptors": 4, "doorbells": 1}
	var found []string
	for what, n := range census() {
		if n > before[what]+slack[what] {
			found = append(found, fmt.Sprintf("leak: %d %s before the tests, %d after", before[what], what, n))
		}
	}
	return found
}

// testDir is a private ring directory that is gone after the test.
func testDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", fmt.Sprintf("ndring-ipc-%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// process is a role running in a process of its own.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines *bufio.Scanner
	input io.WriteCloser
	errs  strings.Builder
	ended bool
}

// prepare makes a process that will play a role.
func prepare(t testing.TB, role string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("/proc/self/exe", args...)}
	p.cmd.Env = append(os.Environ(), roleVar+"="+role)
	p.cmd.Stderr = &p.errs
	return p
}

// spawn starts a role.
func spawn(t testing.TB, role string, args ...string) *process {
	t.Helper()
	p := prepare(t, role, args...)
	p.start()
	return p
}

func (p *process) start() {
	p.t.Helper()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	p.t.Cleanup(p.kill)
}

// expect reads lines until one starts with prefix and returns the rest of it.
func (p *process) expect(prefix string) string {
	p.t.Helper()
	var seen []string
	for p.lines.Scan() {
		if rest, ok := strings.CutPrefix(p.lines.Text(), prefix); ok {
			return strings.TrimSpace(rest)
		}
		seen = append(seen, p.lines.Text())
	}
	p.cmd.Wait()
	p.ended = true
	p.t.Fatalf("%v ended without saying %q; said %q; stderr: %s", p.cmd.Args[1:], prefix, slices.Clip(seen), p.errs.String())
	return ""
}

// say writes a line to the process.
func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.input, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// wait demands that the process ends well.
func (p *process) wait() {
	p.t.Helper()
	for p.lines.Scan() {
	}
	p.ended = true
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("%v: %v; stderr: %s", p.cmd.Args[1:], err, p.errs.String())
	}
}

// suspend stops the process and waits until all its threads stand still.
func (p *process) suspend() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	until(p.t, "the process stands still", func() bool {
		states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		for _, path := range states {
			stat, readErr := os.ReadFile(path)
			_, state, _ := strings.Cut(string(stat), ") ")
			if err = errors.Join(err, readErr); !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return err == nil && len(states) > 0
	})
}

// kill ends the process with SIGKILL, if it still runs, and waits for its end.
func (p *process) kill() {
	if p.ended {
		return
	}
	p.ended = true
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
