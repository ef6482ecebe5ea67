package ipc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// writerLock makes its holder the only writer of a ring. It is a flock on a
// file of its own, which is never mapped and never passed to another process:
// a lock lives as long as any reference to its open file does.
type writerLock struct {
	dir  *directory
	name string // of the ring
	file *os.File
}

// takeLock takes the writer lock of a ring without waiting. The error is a
// *HeldError when another process holds it.
//
// A holder unlinks the file before it lets go, so a lock is worth something only
// while the name still leads to the file that was locked: that is looked at
// after locking, and the attempt repeated when it is not so.
func takeLock(dir *directory, name string) (*writerLock, error) {
	for {
		f, err := dir.open(name+lockSuffix, unix.O_RDWR|unix.O_CREAT)
		if err != nil {
			return nil, dir.refused(err)
		}
		if err := flockNow(f); err != nil {
			pid := readPID(f)
			f.Close()
			if err == unix.EWOULDBLOCK {
				return nil, &HeldError{Ring: name, PID: pid}
			}
			return nil, fmt.Errorf("lock %q: %w", f.Name(), err)
		}
		if dir.leadsTo(name+lockSuffix, f) {
			l := &writerLock{dir: dir, name: name, file: f}
			if err := l.sign(); err != nil {
				return nil, errors.Join(err, l.release())
			}
			return l, nil
		}
		f.Close()
	}
}

func flockNow(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}

// leadsTo reports whether name is the file that f has open.
func (d *directory) leadsTo(name string, f *os.File) bool {
	named, err := d.inode(name)
	if err != nil {
		return false
	}
	opened, err := inodeOf(f)
	return err == nil && named == opened
}

// sign writes the pid, a label for those the lock turns away.
func (l *writerLock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("sign lock: %w", err)
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("sign lock: %w", err)
	}
	return nil
}

// readPID reads the label of the lock's holder, 0 when there is none.
func readPID(f *os.File) int {
	var b [24]byte
	n, _ := f.ReadAt(b[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// release removes the lock's file and lets go, in this order.
func (l *writerLock) release() error {
	err := l.dir.remove(l.name + lockSuffix)
	l.file.Close()
	return err
}
