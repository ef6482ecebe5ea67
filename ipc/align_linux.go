package ipc

import (
	"fmt"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// align moves a large mapping to an address at which huge pages can back it: file
// offset and address must agree modulo their size, and the mapping library lets
// nobody choose. It must run before anything points into the mapping.
func (m *mapping) align() error {
	const unit = proto.HugeAlignBytes
	bytes := uintptr(len(m.mem))
	if bytes < proto.HugeFromBytes || address(m.mem)%unit == 0 {
		return nil
	}
	room, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, bytes+unit, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE, ^uintptr(0), 0)
	if errno != 0 {
		return fmt.Errorf("reserve %d bytes of addresses: %w", bytes+unit, errno)
	}
	target := (room + unit - 1) &^ (unit - 1)
	end := room + bytes + unit
	_, _, errno = unix.Syscall6(unix.SYS_MREMAP, address(m.mem), bytes, bytes, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, target, 0)
	if errno != 0 {
		discard(room, end)
		return fmt.Errorf("move mapping of %d bytes: %w", bytes, errno)
	}
	discard(room, target)
	discard(target+roundToPage(len(m.mem)), end)
	m.mem, m.moved = memoryAt(target, bytes), true
	return nil
}

func roundToPage(bytes int) uintptr {
	return (uintptr(bytes) + proto.PageBytes - 1) &^ (proto.PageBytes - 1)
}

// discard ends what is mapped from one page boundary to another.
func discard(from, to uintptr) {
	if to > from {
		unix.Syscall(unix.SYS_MUNMAP, from, to-from, 0)
	}
}
