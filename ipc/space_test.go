//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roleNoSpace mounts a small tmpfs where only this process sees it and asks for
// rings that fit and that do not.
func roleNoSpace(args []string) error {
	dir := args[0]
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	_, err := Listen(context.Background(), "x", WriterConfig{Dir: dir, Capacity: 4 << 20})
	if !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("error %w, want ErrNoSpace", err)
	}
	for _, word := range []string{"4214784 bytes", " are available", "--shm-size", dir} {
		if !strings.Contains(err.Error(), word) {
			return fmt.Errorf("%q does not name %q", err, word)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return fmt.Errorf("left %v, %w", entries, err)
	}
	w, err := Listen(context.Background(), "x", WriterConfig{Dir: dir, Capacity: 256 << 10, FreeRun: true})
	if err != nil {
		return err
	}
	return errors.Join(fillJournal(w.Journal()), w.Close(context.Background()))
}

// fillJournal writes more to a journal than a file system of 1 MiB holds.
func fillJournal(j *Journal) error {
	if err := j.Replace(writing("kept")); err != nil {
		return err
	}
	if err := j.Replace(writing(strings.Repeat("x", 2<<20))); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "--shm-size") {
		return fmt.Errorf("replace: %w, want ErrNoSpace and a remedy", err)
	}
	if err := j.Append(make([]byte, 2<<20)); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("append: %w, want ErrNoSpace", err)
	}
	f, err := j.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	text := make([]byte, 4)
	if _, err := io.ReadFull(f, text); err != nil || string(text) != "kept" {
		return fmt.Errorf("journal begins with %q, %w", text, err)
	}
	return nil
}

// Check that a file system that is too small is an error that names sizes and
// remedy, before anything is mapped, and that nothing is left.
func TestNoSpace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	p := prepare(t, "nospace", testDir(t))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	p.start()
	p.wait()
}

// Check that the kernel's own refusal to reserve is reported like a lack of space
// seen before.
func TestReserveRefused(t *testing.T) {
	dir, err := openDirectory(testDir(t), false)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := reserve(dir, null, 1<<20); !errors.Is(err, ErrNoSpace) {
		t.Errorf("error %v, want ErrNoSpace", err)
	}
}

// Check that the room in a control group is the least along its ancestors, that
// reclaimable cache counts as room, and that no limit is no limit.
func TestHierarchyRoom(t *testing.T) {
	root := t.TempDir()
	place := func(group, file, content string) {
		t.Helper()
		at := filepath.Join(root, group)
		if err := errors.Join(os.MkdirAll(at, 0o700), os.WriteFile(filepath.Join(at, file), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	room := func(group string) uint64 {
		return hierarchyRoom(root, group, "memory.max", "memory.current", "inactive_file ")
	}
	place("a/b", "memory.max", "max\n")
	if got := room("/a/b"); got != math.MaxUint64 {
		t.Errorf("room %d without a limit", got)
	}
	place("a", "memory.max", "1000\n")
	place("a", "memory.current", "700\n")
	if got := room("/a/b"); got != 300 {
		t.Errorf("room %d, want 300", got)
	}
	place("a", "memory.stat", "anon 5\ninactive_file 200\n")
	if got := room("/a/b"); got != 500 {
		t.Errorf("room %d with cache, want 500", got)
	}
	place("a/b", "memory.max", "10\n")
	place("a/b", "memory.current", "40\n")
	if got := room("/a/b"); got != 0 {
		t.Errorf("room %d over the limit, want 0", got)
	}
}

// Check that a control group too small for the ring is an error, where the kernel
// would kill the process.
func TestControlGroup(t *testing.T) {
	group := fmt.Sprintf("/sys/fs/cgroup/memory/ndring-test-%d", os.Getpid())
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skip("needs a writable memory control group (version 1):", err)
	}
	defer os.Remove(group)
	if err := os.WriteFile(filepath.Join(group, "memory.limit_in_bytes"), []byte("33554432"), 0); err != nil {
		t.Skip("cannot limit a control group:", err)
	}
	p := spawn(t, "cgroup", testDir(t))
	p.expect("ready")
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(fmt.Sprint(p.cmd.Process.Pid)), 0); err != nil {
		t.Skip("cannot move a process into a control group:", err)
	}
	p.say("go")
	p.wait()
}

func roleControlGroup(args []string) error {
	fmt.Println("ready")
	var line string
	fmt.Scanln(&line)
	_, err := Listen(context.Background(), "x", WriterConfig{Dir: args[0], Capacity: 64 << 20})
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "control group") {
		return fmt.Errorf("error %w, want ErrNoSpace that names the control group", err)
	}
	w, err := Listen(context.Background(), "x", WriterConfig{Dir: args[0], Capacity: 4 << 20, FreeRun: true})
	if err != nil {
		return err
	}
	return w.Close(context.Background())
}
