package mutation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fault is how a program failed that could be run.
type fault struct{ error }

func (f fault) Unwrap() error { return f.error }

// Run executes a program in the given folder until it ends or ctx does, and returns what
// it wrote. No process that it started outlives it.
func Run(ctx context.Context, folder, program string, args ...string) ([]byte, error) {
	output, err := os.CreateTemp("", "ndring-mutant-output-") // a pipe would wait for orphans
	if err != nil {
		return nil, err
	}
	defer output.Close()
	os.Remove(output.Name())
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, output, output
	err = runGroup(ctx, cmd)
	text, readErr := io.ReadAll(io.NewSectionReader(output, 0, math.MaxInt64))
	return text, errors.Join(err, readErr)
}

// guardian leads the group of a mutant. Its input is a pipe whose other end only the tests
// hold: it ends when they do, in whatever way, and then the group ends.
const guardian = "read gone; kill -KILL 0"

// runGroup runs a program in a process group of its own and leaves nothing of it. The
// guardian is reaped last: until then nobody else can be given the number of the group.
func runGroup(ctx context.Context, cmd *exec.Cmd) error {
	guard := exec.Command("/bin/sh", "-c", guardian)
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	held, err := guard.StdinPipe()
	if err != nil {
		return err
	}
	if err := guard.Start(); err != nil {
		return err
	}
	defer guard.Wait()
	defer held.Close()
	group := guard.Process.Pid
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer removeLeft(cmd.Process.Pid)
	defer unix.Kill(-group, unix.SIGKILL)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		unix.Kill(-group, unix.SIGKILL)
		<-ended
		return fault{fmt.Errorf("did not end: %w", context.Cause(ctx))}
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fault{err}
	}
	return err
}

// removeLeft removes the folders of a process that could not do it itself.
func removeLeft(pid int) {
	left, _ := filepath.Glob(fmt.Sprintf("/dev/shm/ndring-*-%d-*", pid)) // the pattern is well formed
	for _, path := range left {
		os.RemoveAll(path)
	}
}

// ErrSurvives is returned when the tests pass with the change.
var ErrSurvives = errors.New("survives")

// testLimit is how long the tests that should notice may take; several seconds are
// usual. Then they say where they hang, or are killed a while later.
const testLimit = 20 * time.Second

// Noticed builds the tests of the package in the given folder with the change and runs
// those of the given names, up to three times: some changes show by chance. It returns
// the first line that a test said about it.
func (m Mutant) Noticed(folder, tests string) (string, error) {
	scratch, err := os.MkdirTemp("", "ndring-mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	program, err := m.Build(folder, scratch, "test", "-c", "-vet=off")
	if err != nil {
		return "", err
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 3*testLimit)
		out, err := Run(ctx, folder, program, "-test.timeout", testLimit.String(), "-test.run", tests)
		cancel()
		first, _, _ := bytes.Cut(out, []byte("\n"))
		switch failed := (fault{}); {
		case bytes.Contains(out, []byte("no tests to run")):
			return "", fmt.Errorf("no test matches %s", tests)
		case errors.As(err, &failed):
			return fmt.Sprintf("%v: %s", err, first), nil
		case err != nil:
			return "", err
		}
	}
	return "", fmt.Errorf("mutant %q %w %s", m.Name, ErrSurvives, tests)
}

// MustFail reports a mutant that the tests of the package in the current folder do not
// notice.
func (m Mutant) MustFail(t *testing.T, tests string) {
	t.Helper()
	said, err := m.Noticed(".", tests)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("noticed: %s", said)
}
