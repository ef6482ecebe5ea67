//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// roleLock takes and releases the writer lock again and again. While it holds it,
// it creates a file that must not exist.
func roleLock(args []string) error {
	dir, err := openDirectory(args[0], false)
	if err != nil {
		return err
	}
	defer dir.close()
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	held := 0
	for held < rounds {
		lock, err := takeLock(dir, "x")
		if errors.Is(err, ErrWriterAlive) {
			continue
		}
		if err != nil {
			return err
		}
		held++
		fd, err := unix.Openat(dir.fd, "held", unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fmt.Errorf("round %d: two processes hold the lock: %w", held, err)
		}
		if err := errors.Join(unix.Close(fd), dir.remove("held"), lock.release()); err != nil {
			return err
		}
	}
	return nil
}

// Check that the lock has one holder at a time, also while its file is removed and
// made anew by several processes.
func TestLockRace(t *testing.T) {
	dir := testDir(t)
	var all []*process
	for range 6 {
		all = append(all, spawn(t, "lock", dir, "2000"))
	}
	for _, p := range all {
		p.wait()
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Check that a lock file with any content, held by nobody, is no obstacle, and that
// a link in its place is.
func TestLockForged(t *testing.T) {
	dir := testDir(t)
	if err := os.WriteFile(dir+"/x.lock", []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listen(t, "x", WriterConfig{Dir: dir})
	if err := os.Symlink("/dev/null", dir+"/y.lock"); err != nil {
		t.Fatal(err)
	}
	if w, err := Listen(t.Context(), "y", WriterConfig{Dir: dir}); err == nil {
		w.Close(t.Context())
		t.Error("followed a link")
	}
}
