//go:build amd64

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// image is a read-only look at a file that another process writes, and that may be
// replaced by another of its name.
type image struct {
	path  string
	inode uint64
	bytes []byte // nil while there is no such file
}

// refresh maps the file that has the name now.
func (i *image) refresh() error {
	var st unix.Stat_t
	switch err := unix.Stat(i.path, &st); {
	case err == unix.ENOENT:
		i.close()
		return nil
	case err != nil:
		return fmt.Errorf("look at %q: %w", i.path, err)
	case i.bytes != nil && st.Ino == i.inode:
		return nil
	}
	i.close()
	f, err := os.Open(i.path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %q: %w", i.path, err)
	}
	i.inode, i.bytes = st.Ino, b
	return nil
}

func (i *image) close() {
	if i.bytes != nil {
		unix.Munmap(i.bytes)
		i.bytes = nil
	}
}
