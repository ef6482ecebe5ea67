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
	over                 bool
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
	err = Guard(func() (err error) {
		s.Segment, err = ring.Open(s.segmentMap.mem)
		return err
	}, s)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.Segment.Keep(s.segmentMap)
	s.tableMap, s.Table, s.TableErr = openTable(d, name, &id)
	s.WriterPID, s.Alive = servedBy(d, name)
	return s, nil
}

// Holds reports whether address lies in the files' memory; see Guard, under which
// Segment and Table are to be used.
func (s *Snapshot) Holds(address uintptr) bool {
	return s.segmentMap.Holds(address) || s.tableMap.Holds(address)
}

// Readers describes the occupied reader slots; none after Close, or when the files
// were cut short.
func (s *Snapshot) Readers() (all []ReaderInfo) {
	if s.Table == nil {
		return nil
	}
	if Guard(func() error { all = readersOf(s.Table, s.Segment.Tail()); return nil }, s) != nil {
		return nil
	}
	return all
}

// Blocked says for whom the writer waits, or waited when it died.
func (s *Snapshot) Blocked() (b Blocked, blocked bool) {
	if s.Table == nil {
		return Blocked{}, false
	}
	if Guard(func() error { b, blocked = blockedOf(s.Segment.State(), s.Table); return nil }, s) != nil {
		return Blocked{}, false
	}
	return b, blocked
}

// Close unmaps the files; using Segment or Table is a fault from now on, and
// ErrSegmentLost under Guard. Close is idempotent.
func (s *Snapshot) Close() error {
	s.segmentMap.retire()
	s.tableMap.retire()
	s.over = true
	return nil
}

func (s *Snapshot) closed() bool { return s.over }

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
