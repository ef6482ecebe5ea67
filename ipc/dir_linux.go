package ipc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// Suffixes of the files of one ring.
const (
	segmentSuffix = ".ring"
	tableSuffix   = ".readers"
	socketSuffix  = ".sock"
	lockSuffix    = ".lock"
	stateSuffix   = ".state"
)

// DefaultDir is the directory rings live in unless a caller names one:
// $NDRING_DIR, or ndring-<uid> in /dev/shm.
func DefaultDir() string {
	if dir := os.Getenv("NDRING_DIR"); dir != "" {
		return dir
	}
	return "/dev/shm/ndring-" + strconv.Itoa(os.Geteuid())
}

// directory is an open and checked ring directory. Every file is reached
// through its descriptor, so that nobody can swap the directory under its path.
type directory struct {
	path string
	fd   int
}

// openDirectory opens path, or DefaultDir when it is empty, and creates it with
// mode 0700 when create is set. Errors wrap ErrDir, or os.ErrNotExist when the
// directory is missing and create is not set.
func openDirectory(path string, create bool) (*directory, error) {
	if path == "" {
		path = DefaultDir()
	}
	path = filepath.Clean(path)
	if create {
		if err := unix.Mkdir(path, 0o700); err != nil && err != unix.EEXIST {
			return nil, fmt.Errorf("create ring directory %q: %w: %w", path, err, ErrDir)
		}
	}
	fd, err := openRetry(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, dirOpenError(path, err)
	}
	d := &directory{path: path, fd: fd}
	if err := d.check(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func dirOpenError(path string, err error) error {
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return fmt.Errorf("open ring directory %q: it is a symbolic link; name the directory itself: %w", path, ErrDir)
	}
	if err == unix.ENOENT {
		return fmt.Errorf("open ring directory %q: %w", path, err)
	}
	return fmt.Errorf("open ring directory %q: %w: %w", path, err, ErrDir)
}

// check refuses a directory in which another user could place files.
func (d *directory) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return fmt.Errorf("stat ring directory %q: %w: %w", d.path, err, ErrDir)
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("ring directory %q belongs to uid %d, this process runs as uid %d; set NDRING_DIR to a directory of your own: %w", d.path, st.Uid, os.Geteuid(), ErrDir)
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("ring directory %q has mode %04o, others can write to it; chmod 700 it: %w", d.path, st.Mode&0o7777, ErrDir)
	}
	return nil
}

func (d *directory) close() { unix.Close(d.fd) }

// file is the path of a file for messages.
func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

// through is a path of a file that stays below the 107 bytes a socket address
// can hold, however long the directory's own path is.
func (d *directory) through(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(d.fd) + "/" + name
}

// open opens a regular file of the directory. It never follows a link, and never
// waits as an open of a pipe or a device would. Errors wrap ErrFile, or what the
// system says.
func (d *directory) open(name string, flags int) (*os.File, error) {
	fd, err := openRetry(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, d.fileOpenError(name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, d.fileOpenError(name, err)
	}
	if err := unix.SetNonblock(fd, false); err != nil { // or the poller of the runtime tries to take it
		unix.Close(fd)
		return nil, d.fileOpenError(name, err)
	}
	return os.NewFile(uintptr(fd), d.file(name)), nil
}

// fileOpenError says what stands in the place of a file, where that is why it
// cannot be opened.
func (d *directory) fileOpenError(name string, err error) error {
	var st unix.Stat_t
	if unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		if st.Mode&unix.S_IFMT == unix.S_IFDIR { // to recreate the ring would not remove it
			return fmt.Errorf("%q %w, not a ring's file; remove it: %w", d.file(name), unix.EISDIR, ErrFile)
		}
		return fmt.Errorf("%q is %s, not a ring's file; remove it: %w", d.file(name), fileKind(st.Mode), ErrFile)
	}
	if err == nil { // it was replaced meanwhile
		err = ErrFile
	}
	return fmt.Errorf("open %q: %w", d.file(name), err)
}

// refused wraps ErrDir or ErrNoSpace too if err is that of a directory in which no file
// can be made.
func (d *directory) refused(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", err, ErrNoSpace)
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM),
		errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: %w", err, ErrDir)
	}
	return err
}

func fileKind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return "a named pipe"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFDIR:
		return "a directory"
	}
	return "a device"
}

// remove unlinks a file; one that is not there is no error.
func (d *directory) remove(name string) error {
	if err := unix.Unlinkat(d.fd, name, 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove %q: %w", d.file(name), err)
	}
	return nil
}

// removeAll unlinks several files in order and returns the first error.
func (d *directory) removeAll(names ...string) error {
	var first error
	for _, name := range names {
		if err := d.remove(name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (d *directory) rename(from, to string) error {
	if err := unix.Renameat(d.fd, from, d.fd, to); err != nil {
		return fmt.Errorf("rename %q to %q: %w", d.file(from), to, err)
	}
	return nil
}

// inode identifies the file behind a name or a descriptor.
type inode struct {
	dev, ino uint64
}

func (d *directory) inode(name string) (inode, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return inode{}, fmt.Errorf("stat %q: %w", d.file(name), err)
	}
	return inode{st.Dev, st.Ino}, nil
}

func inodeOf(f *os.File) (inode, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return inode{}, fmt.Errorf("stat %q: %w", f.Name(), err)
	}
	return inode{st.Dev, st.Ino}, nil
}

// rings lists the names of rings of which any file exists, sorted.
func (d *directory) rings() ([]string, error) {
	entries, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(d.fd))
	if err != nil {
		return nil, fmt.Errorf("read ring directory %q: %w", d.path, err)
	}
	var names []string
	for _, e := range entries {
		for _, suffix := range []string{segmentSuffix, tableSuffix, socketSuffix, lockSuffix, stateSuffix} {
			name, ok := strings.CutSuffix(e.Name(), suffix)
			if ok && proto.CheckName(name) == nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// openRetry is openat that survives interruption by a signal.
func openRetry(dirfd int, path string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, path, flags, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// beyondRepair tells a fault of what an earlier writer left from one of the system,
// which kept it from being opened and may pass.
func beyondRepair(err error) bool {
	var system unix.Errno
	return !errors.Is(err, ErrNoSpace) && !errors.As(err, &system)
}
