package ipc

import (
	"fmt"
	"os"
	"strconv"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"
)

// newFile makes a nameless file of bytes zeroed bytes in dir, all of them
// reserved. It vanishes with its last descriptor unless link names it, so a
// process that dies meanwhile leaves nothing behind.
func newFile(dir *directory, bytes uint64) (*os.File, error) {
	fd, err := openRetry(dir.fd, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create a file in %q: %w; rings need tmpfs or another file system with unnamed files: %w", dir.path, err, ErrDir)
	}
	f := os.NewFile(uintptr(fd), dir.file("(unnamed)"))
	if err := unix.Fchmod(fd, 0o600); err != nil { // whatever the umask left
		f.Close()
		return nil, fmt.Errorf("chmod new file in %q: %w", dir.path, err)
	}
	if err := reserve(dir, f, bytes); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// link gives a finished file its name, which must be free.
func link(dir *directory, f *os.File, name string) error {
	if err := unix.Linkat(unix.AT_FDCWD, descriptorPath(f), dir.fd, name, unix.AT_SYMLINK_FOLLOW); err != nil {
		return fmt.Errorf("link %q: %w", dir.file(name), err)
	}
	return nil
}

// relink gives a finished file its name in the place of what had it before.
func relink(dir *directory, f *os.File, name string) error {
	if err := dir.remove(temporary(name)); err != nil {
		return err
	}
	if err := link(dir, f, temporary(name)); err != nil {
		return err
	}
	return dir.rename(temporary(name), name)
}

// temporary is the name of a file that is about to become name: no ring's name starts
// with a dot.
func temporary(name string) string { return "." + name + ".new" }

// reopen makes a new description of an open file with the access given. What is
// passed to other processes is always one of these: it shares neither offset nor
// status flags with the owner's, and may allow less.
func reopen(f *os.File, flags int) (int, error) {
	fd, err := openRetry(unix.AT_FDCWD, descriptorPath(f), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("reopen %q: %w", f.Name(), err)
	}
	return fd, nil
}

func descriptorPath(f *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
}

// checkFile reports whether f can be the file of a ring: regular, of this user,
// with at most one name, closed to others. It returns its size. Errors wrap
// ErrFile.
func checkFile(f *os.File) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, fmt.Errorf("stat %q: %w", f.Name(), err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return 0, fmt.Errorf("file %q is not a regular file (mode %#o): %w", f.Name(), st.Mode, ErrFile)
	case int(st.Uid) != os.Geteuid():
		return 0, fmt.Errorf("file %q belongs to uid %d, this process runs as uid %d: %w", f.Name(), st.Uid, os.Geteuid(), ErrFile)
	case st.Nlink > 1:
		return 0, fmt.Errorf("file %q has %d names, one is allowed: %w", f.Name(), st.Nlink, ErrFile)
	case st.Mode&0o022 != 0:
		return 0, fmt.Errorf("file %q has mode %04o, others can write to it: %w", f.Name(), st.Mode&0o7777, ErrFile)
	}
	return uint64(st.Size), nil
}

// access says how a file is mapped.
type access int

const (
	readOnly  access = mmap.RDONLY
	readWrite access = mmap.RDWR
)

// mapping is a shared mapping of a whole file. It outlives the descriptor.
type mapping struct {
	mem     mmap.MMap
	moved   bool // the mapping library no longer knows it
	retired bool
}

// mapFile maps the first bytes bytes of f. Every page is touched by the kernel
// here, where a lack of memory is an error and not a fault, and left out of core
// dumps.
func mapFile(f *os.File, bytes uint64, how access) (*mapping, error) {
	if bytes == 0 || bytes != uint64(int(bytes)) {
		return nil, fmt.Errorf("map %q: %d bytes: %w", f.Name(), bytes, ErrFile)
	}
	mem, err := mmap.MapRegion(f, int(bytes), int(how), 0, 0)
	if err != nil {
		return nil, fmt.Errorf("map %q, %d bytes: %w", f.Name(), bytes, err)
	}
	m := &mapping{mem: mem}
	err = m.align()
	if err == nil {
		err = m.settle(how)
	}
	if err != nil {
		m.unmap()
		return nil, fmt.Errorf("map %q, %d bytes: %w", f.Name(), bytes, err)
	}
	return m, nil
}

func (m *mapping) settle(how access) error {
	if err := advise(m.mem, unix.MADV_DONTDUMP); err != nil {
		return err
	}
	populate := unix.MADV_POPULATE_READ
	if how == readWrite {
		populate = unix.MADV_POPULATE_WRITE
	}
	err := advise(m.mem, populate)
	if err == unix.EFAULT || err == unix.ENOMEM {
		return fmt.Errorf("its pages cannot be had: %w: %w", err, ErrNoSpace)
	}
	return err
}

// advise is madvise; advice that an older kernel does not know is no error.
func advise(mem []byte, advice int) error {
	for {
		switch err := unix.Madvise(mem, advice); err {
		case unix.EINTR, unix.EAGAIN:
		case unix.EINVAL:
			return nil
		default:
			return err
		}
	}
}

// unmap ends a mapping that only this package has seen; slices into it must not be
// used any more.
func (m *mapping) unmap() {
	switch {
	case m == nil || m.mem == nil || m.retired:
	case m.moved:
		discard(address(m.mem), address(m.mem)+roundToPage(len(m.mem)))
		m.mem = nil
	default:
		m.mem.Unmap()
	}
}
