//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ndring/ndring/proto"
)

// RingFile is a ring found in a directory.
type RingFile struct {
	Name      string
	Bytes     uint64          // of the segment; 0 when there is none
	Alive     bool            // a writer serves it
	WriterPID int             // if Alive
	Identity  *proto.Identity // nil when Err is not
	Err       error           // why the segment cannot be read
}

// List describes the rings in dir, DefaultDir() when empty, by name. Of a missing
// directory the list is empty. It changes nothing. Errors wrap ErrDir.
func List(dir string) ([]RingFile, error) {
	d, err := openDirectory(dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list rings: %w", err)
	}
	defer d.close()
	names, err := d.rings()
	if err != nil {
		return nil, fmt.Errorf("list rings: %w", err)
	}
	var all []RingFile
	for _, name := range names {
		all = append(all, describe(d, name))
	}
	return all, nil
}

func describe(d *directory, name string) RingFile {
	r := RingFile{Name: name}
	r.WriterPID, r.Alive = servedBy(d, name)
	f, err := d.open(name+segmentSuffix, os.O_RDONLY)
	if err != nil {
		r.Err = err
		return r
	}
	defer f.Close()
	id, err := readIdentity(f)
	if err != nil {
		r.Err = err
		return r
	}
	r.Identity, r.Bytes = &id, id.SegmentBytes()
	return r
}

// Collected is what Collect did about one ring.
type Collected struct {
	Name    string
	Removed bool  // its writer was dead
	Err     error // a *HeldError when the writer lives
}

// Collect removes the files of every ring in dir, DefaultDir() when empty, that
// has no living writer, finished or not; a ring that a writer might still take up
// goes, too. It takes each ring's writer lock first, so it never races one that
// starts. Errors wrap ErrDir.
func Collect(dir string) ([]Collected, error) {
	d, err := openDirectory(dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("collect rings: %w", err)
	}
	defer d.close()
	names, err := d.rings()
	if err != nil {
		return nil, fmt.Errorf("collect rings: %w", err)
	}
	var all []Collected
	for _, name := range names {
		err := collect(d, name)
		all = append(all, Collected{Name: name, Removed: err == nil, Err: err})
	}
	return all, nil
}

// Remove removes the files of one ring in dir, DefaultDir() when empty, as Collect
// does. The error wraps ErrWriterAlive when its writer lives, or ErrDir.
func Remove(dir, name string) error {
	if err := proto.CheckName(name); err != nil {
		return fmt.Errorf("remove ring %q: %w", name, err)
	}
	d, err := openDirectory(dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer d.close()
		err = collect(d, name)
	}
	if err != nil {
		return fmt.Errorf("remove ring %q: %w", name, err)
	}
	return nil
}

func collect(d *directory, name string) error {
	lock, err := takeLock(d, name)
	if err != nil {
		return err
	}
	return errors.Join(removeRing(d, name), lock.release())
}
