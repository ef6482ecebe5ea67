package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// roomFor returns an error wrapping ErrSkipped unless rings of bytes in all fit
// the file system and, with as much left over, the memory.
func (h *Host) roomFor(bytes uint64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(h.Dir, &st); err != nil {
		return fmt.Errorf("look for room in %q: %w", h.Dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); st.Blocks != 0 && free < bytes+bytes/16 {
		return fmt.Errorf("%w: %s has %d bytes left, %d are needed", ErrSkipped, h.Dir, free, bytes)
	}
	if free := availableMemory(); free < 2*bytes {
		return fmt.Errorf("%w: %d bytes of memory are available, %d are needed", ErrSkipped, free, 2*bytes)
	}
	return nil
}

// availableMemory is MemAvailable; without bound when the kernel does not tell.
func availableMemory() uint64 {
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "MemAvailable:" {
			if kib, err := strconv.ParseUint(words[1], 10, 54); err == nil {
				return kib << 10
			}
		}
	}
	return 1 << 63
}
