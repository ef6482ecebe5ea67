//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Snapshot is a read-only look at a ring's files, with a living writer or without.
// It changes nothing: not a byte of the files, and no lock is taken.
type Snapshot struct {
	Path      string // of the segment
	Bytes     uint64 // of the segment's file
	Alive     bool   // a writer serves the ring
	WriterPID int    // of the serving process, if Alive
	Segment   *ring.Segment
	Table     *ring.Table // nil when TableErr is not
	TableErr  error       // why there is no reader table

	segmentMap, tableMap *mapping
}

// OpenSnapshot maps the files of ring name in dir, DefaultDir() when empty. Errors
// wrap ErrNoRing, ErrDir, ErrFile, or those of proto for a segment that is none.
func OpenSnapshot(dir, name string) (*Snapshot, error) {
	if err := proto.CheckName(name); err != nil {
		return nil, fmt.Errorf("look at ring %q: %w", name, err)
	}
	d, err := openDirectory(dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look at ring %q: %w: %w", name, err, ErrNoRing)
	}
	if err != nil {
		return nil, fmt.Errorf("look at ring %q: %w", name, err)
	}
	defer d.close()
	s, err := snapshot(d, name)
	if err != nil {
		return nil, fmt.Errorf("look at ring %q: %w", name, err)
	}
	return s, nil
}

func snapshot(d *directory, name string) (*Snapshot, error) {
	f, err := d.open(name+segmentSuffix, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", err, ErrNoRing)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	id, err := readIdentity(f)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Path: d.file(name + segmentSuffix), Bytes: id.SegmentBytes()}
	if s.segmentMap, err = mapFile(f, id.SegmentBytes(), readOnly); err != nil {
		return nil, err
	}
	if s.Segment, err = ring.Open(s.segmentMap.mem); err != nil {
		s.Close()
		return nil, err
	}
	s.tableMap, s.Table, s.TableErr = openTable(d, name, &id)
	s.WriterPID, s.Alive = servedBy(d, name)
	return s, nil
}

// Readers describes the occupied reader slots.
func (s *Snapshot) Readers() []ReaderInfo {
	if s.Table == nil {
		return nil
	}
	return readersOf(s.Table, s.Segment.Tail())
}

// Blocked says for whom the writer waits, or waited when it died.
func (s *Snapshot) Blocked() (Blocked, bool) {
	if s.Table == nil {
		return Blocked{}, false
	}
	return blockedOf(s.Segment.State(), s.Table)
}

// Close unmaps the files; Segment, Table and what came from them must not be used
// any more. Close is idempotent.
func (s *Snapshot) Close() error {
	s.segmentMap.unmap()
	s.tableMap.unmap()
	return nil
}

// servedBy finds the process that listens on the ring's control socket by
// connecting to it.
func servedBy(d *directory, name string) (pid int, alive bool) {
	sock, err := connectSocket(d, name)
	if err != nil {
		return 0, errors.Is(err, errWouldBlock)
	}
	defer sock.close()
	p, err := sock.peer()
	return p.pid, err == nil
}
