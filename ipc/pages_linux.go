package ipc

import (
	"fmt"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// Memory says how the pages of a ring are held, beyond what is done always: they
// are reserved and touched before the first frame.
type Memory struct {
	// Locked keeps the pages out of swap. It needs RLIMIT_MEMLOCK for the whole ring.
	Locked bool
	// Huge puts the data on huge pages, as MADV_COLLAPSE does: once for all processes,
	// if the writer asks for it; a reader that asks maps them so. It takes a ring of at
	// least proto.HugeFromBytes and Linux 6.1.
	Huge bool
}

// hold applies what the configuration asks of a segment's pages.
func (m *mapping) hold(how Memory, id *proto.Identity) error {
	if how.Huge {
		if err := m.collapse(id); err != nil {
			return err
		}
	}
	if !how.Locked {
		return nil
	}
	if err := unix.Mlock(m.mem); err != nil {
		return fmt.Errorf("lock %d bytes in memory: raise the limit (ulimit -l) or leave Memory.Locked off: %w: %w", len(m.mem), err, ErrNoSpace)
	}
	return nil
}

func (m *mapping) collapse(id *proto.Identity) error {
	if id.DataOff%proto.HugeAlignBytes != 0 {
		return fmt.Errorf("huge pages for a ring of %d bytes: it takes at least %d: %w", id.Capacity, proto.HugeFromBytes, proto.ErrGeometry)
	}
	for {
		switch err := unix.Madvise(m.mem[id.DataOff:id.SegmentBytes()], unix.MADV_COLLAPSE); err {
		case nil:
			return nil
		case unix.EINTR, unix.EAGAIN:
		default:
			return fmt.Errorf("huge pages for %d bytes: the kernel has none free, or lacks MADV_COLLAPSE: %w", id.Capacity, err)
		}
	}
}
