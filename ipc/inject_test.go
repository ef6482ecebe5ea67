//go:build linux

package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// Paths that nobody has: looking for them marks a place in the trace.
const (
	startMark = "/ndring-test-start"
	endMark   = "/ndring-test-end"
)

// roleStartUp makes a ring, dials it in both wake modes and observes it, all on the
// process's first thread, and says how that went. Its calls lie between two marks.
func roleStartUp(args []string) error {
	runtime.LockOSThread()
	if err := startPoller(); err != nil {
		return err
	}
	unix.Access(startMark, unix.F_OK)
	err := startUp(args[0])
	var errno unix.Errno
	typed := errors.As(err, &errno)
	for _, known := range []error{ErrNoRing, ErrRefused, ErrDir, ErrFile, ErrNoSpace, ErrHandshake, ErrLeftover, errHangup} {
		typed = typed || errors.Is(err, known)
	}
	if err != nil && !typed {
		return fmt.Errorf("no typed error: %w", err)
	}
	fmt.Println("outcome", err)
	return nil
}

func startUp(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	w, err := Listen(ctx, "x", WriterConfig{Dir: dir, Capacity: proto.MinCapacityBytes, FreeRun: true})
	if err != nil {
		unix.Access(endMark, unix.F_OK)
		return err
	}
	err = errors.Join(dialOnce(ctx, dir, proto.WakePark), dialOnce(ctx, dir, proto.WakeStream), observeOnce(ctx, dir))
	unix.Access(endMark, unix.F_OK)
	return errors.Join(err, w.Close(ctx))
}

func dialOnce(ctx context.Context, dir string, wake proto.Wake) error {
	r, err := Dial(ctx, "x", ReaderConfig{Dir: dir, Wake: wake, NoWait: true})
	if err != nil {
		return err
	}
	return r.Close()
}

func observeOnce(ctx context.Context, dir string) error {
	o, err := Observe(ctx, "x", ObserverConfig{Dir: dir, NoWait: true})
	if err != nil {
		return err
	}
	return o.Close()
}

// call is a system call of start-up: the nth of its name on the first thread.
type call struct {
	name string
	nth  int
	line string
}

// traced runs a role under strace, which sees its first thread only.
func traced(t *testing.T, strace, dir string, options ...string) (said, trace string, failed error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append([]string{"-o", out, "-s", "80"}, options...)
	cmd := exec.CommandContext(ctx, strace, append(args, "/proc/self/exe", dir)...)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args[len(cmd.Args)-2] = program
	cmd.Env = append(os.Environ(), roleVar+"=startup", "GOGC=off")
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	failed = cmd.Run()
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return both.String(), string(b), failed
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// startUpCalls lists what stands between the marks. The runtime's own calls, without
// which it cannot live, are left out: memory, threads, signals and its poller.
func startUpCalls(trace string) []call {
	nth := map[string]int{}
	var all []call
	inside := false
	name := regexp.MustCompile(`^([a-z0-9_]+)\(`)
	for line := range strings.Lines(trace) {
		m := name.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		nth[m[1]]++
		switch {
		case strings.Contains(line, startMark):
			inside = true
		case strings.Contains(line, endMark):
			return all
		case inside && !runtimeOwn(m[1], line):
			all = append(all, call{m[1], nth[m[1]], strings.TrimSpace(line)})
		}
	}
	return all
}

func runtimeOwn(name, line string) bool {
	switch name {
	case "futex", "clone", "clone3", "gettid", "getpid", "tgkill", "nanosleep", "sched_yield", "sched_getaffinity",
		"epoll_pwait", "epoll_wait", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "timer_create",
		"timer_settime", "timer_delete", "close", "exit_group", "geteuid":
		return true
	case "mmap":
		return !strings.Contains(line, "MAP_SHARED")
	case "madvise":
		return !strings.Contains(line, "POPULATE") && !strings.Contains(line, "DONTDUMP")
	case "munmap":
		return true
	}
	return false
}

// errnoOf is an error that a system call may have.
func errnoOf(name string) string {
	for errno, names := range map[string]string{
		"EMFILE": "socket eventfd2 epoll_create1 openat", "ENOMEM": "mmap madvise ppoll epoll_ctl recvmsg recvfrom fstat newfstatat access faccessat",
		"ENOSPC": "fallocate pwrite64 linkat ftruncate", "EACCES": "bind mkdirat mkdir unlinkat unlink renameat renameat2 readlinkat fchmod",
		"ENOBUFS": "listen sendmsg sendto", "ENOLCK": "flock", "ECONNREFUSED": "connect", "ENOSYS": "membarrier fstatfs statfs",
		"EINVAL": "fcntl getsockopt prlimit64 ioctl",
	} {
		for n := range strings.FieldsSeq(names) {
			if n == name {
				return errno
			}
		}
	}
	return "EIO"
}

// Check that each system call of making, dialling and observing a ring may fail: the
// process lives and reports a typed error, or does without, and leaves no file.
// NDRING_EVERY_SYSCALL fails each call, otherwise each kind of call once.
func TestStartUpCallsFail(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("NDRING_REQUIRE_ALL") != "" {
			t.Fatal("strace is not installed: apt-get install strace")
		}
		t.Skip("strace is not installed: apt-get install strace")
	}
	said, trace, err := traced(t, strace, testDir(t))
	calls := startUpCalls(trace)
	if err != nil || !strings.Contains(said, "outcome <nil>") || len(calls) < 50 {
		t.Fatalf("%v: %d calls found, said %q", err, len(calls), said)
	}
	failed, seen := map[string]int{}, map[string]bool{}
	for _, c := range calls {
		if os.Getenv("NDRING_EVERY_SYSCALL") == "" && seen[c.name] {
			continue
		}
		seen[c.name] = true
		outcome := failCall(t, strace, c)
		failed[outcome]++
		t.Logf("%-12s %s[%d] %s", outcome, c.name, c.nth, c.line)
	}
	t.Logf("%d calls of start-up, outcomes %v", len(calls), failed)
}

// failCall fails one call and returns how that went. The runtime makes calls of its
// own now and then, so that one of them may be the nth this time.
func failCall(t *testing.T, strace string, c call) string {
	dir := testDir(t)
	defer os.RemoveAll(dir)
	said, trace, err := traced(t, strace, dir, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", c.name, errnoOf(c.name), c.nth))
	injected := ""
	for line := range strings.Lines(trace) {
		if strings.Contains(line, "(INJECTED)") {
			injected = line
		}
	}
	if injected == "" || runtimeOwn(c.name, injected) {
		return "not reached"
	}
	if err != nil {
		t.Errorf("%s failed: %v; said %s\n%s", c.line, err, said, lastLines(trace, 5))
	}
	// Who cannot lock cannot tell whether the lock is another's, and who cannot unlink
	// leaves files: then they must be ones that can be collected.
	left := filesIn(t, dir)
	if slices.Equal(left, []string{"x.lock"}) || c.name == "unlinkat" {
		if _, err := Collect(dir); err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		left = filesIn(t, dir)
	}
	if len(left) > 0 {
		t.Errorf("%s failed: left %q; said %s", c.line, left, said)
	}
	switch {
	case strings.Contains(said, "outcome <nil>"):
		return "did without"
	case strings.Contains(said, "outcome "):
		return "error"
	}
	t.Errorf("%s failed: said %q", c.line, said)
	return "died"
}
