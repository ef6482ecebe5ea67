package ipc

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// Journal is a file of a ring for its writer alone, x.state: what the next writer of
// the ring needs to know besides the frames. It goes when the ring goes. Its methods
// are for one goroutine at a time, until the writer is closed.
type Journal struct {
	dir  *directory
	name string   // of the file
	file *os.File // what Append writes to; nil before Replace
}

// Journal returns the ring's journal. It need not exist yet.
func (w *Writer) Journal() *Journal { return &w.journal }

// OpenJournal returns the journal of ring name in dir, DefaultDir() when empty, for
// who is not its writer: a living one may be adding to it. Errors are those of
// Journal.Open, ErrDir, or those of proto for a bad name.
func OpenJournal(dir, name string) (io.ReadCloser, error) {
	if err := proto.CheckName(name); err != nil {
		return nil, fmt.Errorf("open journal of %q: %w", name, err)
	}
	d, err := openDirectory(dir, false)
	if err != nil {
		return nil, fmt.Errorf("open journal of %q: %w", name, err)
	}
	defer d.close()
	j := Journal{dir: d, name: name + stateSuffix}
	return j.Open()
}

// Open returns what an earlier writer left. The error wraps os.ErrNotExist when there
// is nothing, or ErrFile.
func (j *Journal) Open() (io.ReadCloser, error) {
	f, err := j.dir.open(j.name, os.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if _, err := checkFile(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Replace makes what write writes the content of the journal, all of it at one
// instant. When it fails, the journal is what it was. Errors wrap ErrNoSpace when the
// file system is full, or are those of write.
func (j *Journal) Replace(write func(io.Writer) error) error {
	f, err := newFile(j.dir, 0)
	if err != nil {
		return fmt.Errorf("replace %q: %w", j.dir.file(j.name), err)
	}
	err = write(full{f})
	if err == nil {
		err = relink(j.dir, f, j.name)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("replace %q: %w", j.dir.file(j.name), err)
	}
	j.close()
	j.file = f
	return nil
}

// Append adds p to what Replace wrote. A writer that dies meanwhile may leave a part
// of p. The error wraps ErrNoSpace when the file system is full.
func (j *Journal) Append(p []byte) error {
	if j.file == nil {
		return fmt.Errorf("append to %q: %w", j.dir.file(j.name), os.ErrInvalid)
	}
	if _, err := (full{j.file}).Write(p); err != nil {
		return fmt.Errorf("append to %q: %w", j.dir.file(j.name), err)
	}
	return nil
}

func (j *Journal) close() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}

// full is a file that tells a full file system as ErrNoSpace.
type full struct{ file *os.File }

func (f full) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	if errors.Is(err, unix.ENOSPC) {
		err = fmt.Errorf("%w; raise the size of that file system (containers: --shm-size): %w", err, ErrNoSpace)
	}
	return n, err
}
