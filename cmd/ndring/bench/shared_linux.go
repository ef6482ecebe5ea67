package bench

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// createShared makes a file of size bytes in dir that never has a name, so
// nothing is left behind whatever dies. Its space is reserved: a full tmpfs is
// an error here and not a SIGBUS later.
func createShared(dir string, size int) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create a shared file in %q: %w", dir, err)
	}
	f := os.NewFile(uintptr(fd), dir)
	if err := unix.Fallocate(fd, 0, 0, int64(size)); err != nil {
		f.Close()
		return nil, fmt.Errorf("reserve %d bytes in %q: %w", size, dir, err)
	}
	return f, nil
}

// mapShared maps and populates the first size bytes of fd until the process
// ends.
func mapShared(fd, size int) ([]byte, error) {
	shared, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map %d shared bytes: %w", size, err)
	}
	return shared, nil
}

// socketPair makes the two ends of a blocking SOCK_SEQPACKET pair.
func socketPair() ([]*os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	return []*os.File{os.NewFile(uintptr(fds[0]), "end 0"), os.NewFile(uintptr(fds[1]), "end 1")}, nil
}
