package command

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){
		"ndring": func() { os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// tidy runs the tests with a directory for temporary files of their own, and fails
// when anything is left in it.
type tidy struct{ *testing.M }

func (m tidy) Run() int {
	dir, err := os.MkdirTemp("", "ndring-command-*")
	if err == nil {
		err = os.Setenv("TMPDIR", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	code := m.M.Run()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: left among the temporary files: %v, %v\n", left, err)
		return 1
	}
	return code
}

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// Check that the stories in testdata/script hold, each with real processes and a
// ring directory of its own that is empty at the end.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		WorkdirRoot:         t.TempDir(), // testscript's own stays behind when -run leaves a script out
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			dir, err := os.MkdirTemp(memoryDir(), "ndring-test-*")
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(dir) })
			env.Setenv("NDRING_DIR", dir)
			env.Setenv("UID", strconv.Itoa(os.Getuid()))
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"until":   until,
			"await":   await,
			"empty":   empty,
			"digest":  digest,
			"poke":    poke,
			"send":    send,
			"chunks":  chunks,
			"npybomb": npyBomb,
		},
	})
}

// memoryDir is where rings are fast; elsewhere they work as well.
func memoryDir() string {
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		return "/dev/shm"
	}
	return ""
}

func condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// exits CODE PROGRAM ARGS… checks an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until PATTERN PROGRAM ARGS… repeats a command until its stdout matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN PROGRAM ARGS…")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if ts.Exec(args[1], args[2:]...) == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%q never matched", args[0])
}

// await FILE PATTERN waits until a file that a process writes matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE PATTERN")
	}
	pattern := regexp.MustCompile("(?m)" + args[1])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
	}
	ts.Fatalf("%s never matched %q", args[0], args[1])
}

// empty DIR checks that nothing is left.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(args[0])
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	ts.Check(err)
	if len(entries) > 0 && !neg {
		ts.Fatalf("%d files are left, the first is %s", len(entries), entries[0].Name())
	}
	if len(entries) == 0 && neg {
		ts.Fatalf("nothing is left")
	}
}

// digest FILE NAME: the first time it keeps size, time and hash of a file under
// NAME, the second time it checks that they are the same.
func digest(ts *testscript.TestScript, neg bool, args []string) {
	content, err := os.ReadFile(args[0])
	ts.Check(err)
	st, err := os.Stat(args[0])
	ts.Check(err)
	now := fmt.Sprintf("%d bytes, modified %v, %x", st.Size(), st.ModTime().UnixNano(), sha256.Sum256(content))
	before := ts.Getenv("digest_" + args[1])
	if before == "" {
		ts.Setenv("digest_"+args[1], now)
		return
	}
	if before != now {
		ts.Fatalf("%s: %s before, %s now", args[0], before, now)
	}
}

// poke FILE OFFSET BYTE changes a byte; a negative offset truncates to BYTE bytes.
func poke(ts *testscript.TestScript, neg bool, args []string) {
	offset, err := strconv.ParseInt(args[1], 0, 64)
	ts.Check(err)
	value, err := strconv.ParseInt(args[2], 0, 64)
	ts.Check(err)
	if offset < 0 {
		ts.Check(os.Truncate(args[0], value))
		return
	}
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	_, err = f.WriteAt([]byte{byte(value)}, offset)
	ts.Check(err)
}

// send SIGNAL I sends STOP or CONT to the I-th background process.
func send(ts *testscript.TestScript, neg bool, args []string) {
	i, err := strconv.Atoi(args[1])
	ts.Check(err)
	signal := map[string]os.Signal{"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "TERM": syscall.SIGTERM}[args[0]]
	process := ts.BackgroundCmds()[i].Process
	ts.Check(process.Signal(signal))
	if signal == syscall.SIGSTOP { // or a failing script waits for it for ever
		time.AfterFunc(patience, func() { _ = process.Signal(syscall.SIGCONT) })
	}
}

// chunks LOGFILE N plays N chunks against the bridge whose stderr is in LOGFILE,
// and checks every answer's order, sequence and DELTA.
func chunks(ts *testscript.TestScript, neg bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, rest, ok := strings.Cut(ts.ReadFile(args[0]), "listening on ")
	address, _, found := strings.Cut(rest, ",")
	if !ok || !found {
		ts.Fatalf("%s names no address", args[0])
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := bridge.Dial(ctx, address, bridge.ClientConfig{})
	ts.Check(err)
	defer c.Close()
	for n := range count {
		ts.Check(c.Send([]float64{float64(n) + 1, 2, 3, 4, 5}))
	}
	ts.Check(c.CloseSend())
	for n := range count {
		if _, err := c.Receive(); err != nil {
			ts.Fatalf("answer %d: %v", n+1, err)
		}
	}
}

// npyBomb FILE writes a .npy header that promises a terabyte.
func npyBomb(ts *testscript.TestScript, neg bool, args []string) {
	dict := "{'descr': '<f8', 'fortran_order': False, 'shape': (131072, 1048576), }"
	header := dict + strings.Repeat(" ", 118-len(dict)-1) + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append([]byte("\x93NUMPY\x01\x00\x76\x00"), header...), 0o600))
}

// full reports whether tests run at full size.
func full() bool {
	return os.Getenv("NDRING_REQUIRE_ALL") != "" || os.Getenv("CI") == "true"
}

// program starts this test binary as ndring, in a ring directory.
func program(ctx context.Context, t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = append([]string{"ndring"}, args...)
	cmd.Env = append(os.Environ(), "NDRING_DIR="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // a hung process shows its goroutines
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func ringDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(memoryDir(), "ndring-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Clean(dir)
}
