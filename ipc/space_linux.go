package ipc

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// reserveStep is how much is reserved between two looks at the control group's
// limit, which the kernel enforces by killing the process instead of an error.
const reserveStep = 64 << 20

// reserve allocates every byte of a new file, so that no later store can meet a
// full file system. Errors wrap ErrNoSpace.
func reserve(dir *directory, f *os.File, bytes uint64) error {
	if free, err := freeSpace(int(f.Fd())); err == nil && free < bytes {
		return noSpace(dir, bytes, free, "raise the size of that file system (containers: --shm-size), choose a smaller capacity or set NDRING_DIR")
	}
	for at := uint64(0); at < bytes; at += reserveStep {
		step := min(reserveStep, bytes-at)
		if room := cgroupRoom(); room < bytes-at {
			return noSpace(dir, bytes, at+room, "the control group's memory limit leaves no more; raise it or choose a smaller capacity")
		}
		if err := fallocate(int(f.Fd()), int64(at), int64(step)); err != nil {
			free, _ := freeSpace(int(f.Fd()))
			return fmt.Errorf("%w: %w", err, noSpace(dir, bytes, at+free, "raise the size of that file system (containers: --shm-size) or choose a smaller capacity"))
		}
	}
	return nil
}

func noSpace(dir *directory, need, have uint64, advice string) error {
	return fmt.Errorf("reserve %d bytes in %q, %d are available; %s: %w", need, dir.path, have, advice, ErrNoSpace)
}

func fallocate(fd int, at, n int64) error {
	for {
		if err := unix.Fallocate(fd, 0, at, n); err != unix.EINTR {
			return err
		}
	}
}

func freeSpace(fd int) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return 0, err
	}
	if st.Blocks == 0 { // a tmpfs without a size has no limit
		return math.MaxUint64, nil
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// cgroupRoom is how many bytes the control group of this process, and those above
// it, still let it use. Page cache that the kernel would reclaim counts as room.
func cgroupRoom() uint64 {
	lines, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return math.MaxUint64
	}
	room := uint64(math.MaxUint64)
	for line := range strings.Lines(string(lines)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch parts[1] {
		case "":
			room = min(room, hierarchyRoom("/sys/fs/cgroup", parts[2], "memory.max", "memory.current", "inactive_file "))
		case "memory":
			room = min(room, hierarchyRoom("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "))
		}
	}
	return room
}

func hierarchyRoom(root, group, limitFile, usageFile, cacheKey string) uint64 {
	room := uint64(math.MaxUint64)
	for group = filepath.Clean("/" + group); ; group = filepath.Dir(group) {
		at := filepath.Join(root, group)
		if limit, ok := readCount(filepath.Join(at, limitFile)); ok {
			usage, _ := readCount(filepath.Join(at, usageFile))
			used := usage - min(usage, reclaimable(filepath.Join(at, "memory.stat"), cacheKey))
			room = min(room, limit-min(limit, used))
		}
		if group == "/" {
			return room
		}
	}
}

func readCount(path string) (uint64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil // "max" is no limit
}

func reclaimable(path, key string) uint64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
			return n
		}
	}
	return 0
}
