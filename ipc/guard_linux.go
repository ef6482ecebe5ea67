package ipc

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/edsrzf/mmap-go"
	"github.com/ndring/ndring/ring"
	"golang.org/x/sys/unix"
)

// Guard runs run, in which frames and claims of rings are used, and turns a fault
// in their memory into an error that wraps ErrSegmentLost; so is EFAULT, by which a
// system call says the same. It wraps os.ErrClosed as well if one of rings is closed.
// Rings are Readers, Writers, Observers and Snapshots. Any other panic goes on.
//
// The methods of those types are guarded already. Guard is for what a caller does
// with views: a loop over Frames belongs inside one as a whole. A Writer is told of a
// fault in its memory. Guard holds for the calling goroutine; each goroutine that
// looks at views needs its own. Locks that run takes and does not release by a
// deferred call stay locked after a fault.
func Guard(run func() error, rings ...ring.Region) error {
	err := ring.Guard(run, rings...)
	if errors.Is(err, unix.EFAULT) && !errors.Is(err, ErrSegmentLost) {
		err = fmt.Errorf("%w: %w", ErrSegmentLost, err)
	}
	if !errors.Is(err, ErrSegmentLost) {
		return err
	}
	for _, r := range rings {
		if c, ok := r.(interface{ closed() bool }); ok && c.closed() {
			err = fmt.Errorf("used after Close: %w: %w", os.ErrClosed, err)
		}
	}
	return err
}

// Holds reports whether at lies in the mapping, also after it was retired.
func (m *mapping) Holds(at uintptr) bool {
	return m != nil && at-address(m.mem) < uintptr(len(m.mem))
}

// retire ends the mapping for everybody: views of it that are still about fault from
// now on, instead of showing whatever is mapped there next. The addresses are given
// back once nothing that refers to the mapping is left; see ring.Segment.Keep.
func (m *mapping) retire() {
	if m == nil || m.mem == nil || m.retired {
		return
	}
	if !seal(m.mem) {
		m.unmap()
		return
	}
	m.retired = true
	runtime.AddCleanup(m, release, reservation{m.mem, m.moved})
}

// reservation is a range of addresses at which nothing is mapped.
type reservation struct {
	mem   mmap.MMap
	moved bool
}

func release(r reservation) { (&mapping{mem: r.mem, moved: r.moved}).unmap() }

// seal replaces what is mapped at mem by nothing, for good, in one step: no other
// mapping can get in between.
func seal(mem []byte) bool {
	_, _, errno := unix.Syscall6(unix.SYS_MMAP, address(mem), uintptr(len(mem)), unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE|unix.MAP_FIXED, ^uintptr(0), 0)
	return errno == 0
}

// Holds reports whether address lies in the ring's memory.
func (s *store) Holds(address uintptr) bool {
	return s != nil && (s.segmentMap.Holds(address) || s.tableMap.Holds(address) || s.oldMap.Holds(address))
}

// Holds reports whether address lies in the ring's memory.
func (s *session) Holds(address uintptr) bool {
	return s != nil && (s.segmentMap.Holds(address) || s.tableMap.Holds(address))
}
