//go:build linux

package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// store is the memory of a ring in its writer's process.
type store struct {
	dir         *directory
	name        string
	segmentFile *os.File
	tableFile   *os.File
	segmentMap  *mapping
	tableMap    *mapping
	segment     *ring.Segment
	table       *ring.Table
	named       bool        // the segment has its name: it is continued
	old         *ring.Table // reader table of the epoch before; nil in a new ring, or when it is unusable
	oldMap      *mapping
}

// createStore makes the files of a new ring, still without names.
func createStore(dir *directory, id *proto.Identity) (*store, error) {
	s := &store{dir: dir, name: id.Name}
	if err := Guard(func() error { return s.create(id) }, s); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) create(id *proto.Identity) (err error) {
	bytes := id.SegmentBytes()
	if s.segmentFile, err = newFile(s.dir, bytes); err != nil {
		return fmt.Errorf("create ring %q: %w", s.name, err)
	}
	if s.segmentMap, err = mapFile(s.segmentFile, bytes, readWrite); err != nil {
		return fmt.Errorf("create ring %q: %w", s.name, err)
	}
	if s.segment, err = ring.Format(s.segmentMap.mem, *id); err != nil {
		return fmt.Errorf("create ring %q: %w", s.name, err)
	}
	s.segment.Keep(s.segmentMap)
	return s.createTable(1)
}

func (s *store) createTable(epoch uint64) (err error) {
	id := s.segment.Identity()
	bytes := proto.TableBytes(id.Slots)
	if s.tableFile, err = newFile(s.dir, bytes); err != nil {
		return fmt.Errorf("create reader table of %q: %w", s.name, err)
	}
	if s.tableMap, err = mapFile(s.tableFile, bytes, readWrite); err != nil {
		return fmt.Errorf("create reader table of %q: %w", s.name, err)
	}
	s.table, err = ring.FormatTable(s.tableMap.mem, id, epoch)
	return err
}

// publish names the files: the table first, so that a segment with a name always
// has one.
func (s *store) publish() error {
	if err := relink(s.dir, s.tableFile, s.name+tableSuffix); err != nil {
		return err
	}
	if s.named {
		return nil
	}
	return link(s.dir, s.segmentFile, s.name+segmentSuffix)
}

// removeRing unlinks everything but the lock. The caller holds it.
func removeRing(dir *directory, name string) error {
	return dir.removeAll(name+socketSuffix, name+segmentSuffix, name+tableSuffix, temporary(name+tableSuffix),
		name+stateSuffix, temporary(name+stateSuffix))
}

func (s *store) close() {
	s.segmentMap.retire()
	s.tableMap.unmap()
	s.oldMap.unmap()
	for _, f := range []*os.File{s.segmentFile, s.tableFile} {
		if f != nil {
			f.Close()
		}
	}
}

// errUnusable marks a left-over ring that holds nothing worth keeping.
var errUnusable = errors.New("left-over ring is finished or incomplete")

// resumeStore opens what a dead writer left, to go on with it. It returns nil
// without an error when nothing is there. Errors wrap errUnusable when the ring
// ended or was never complete, ErrMismatch when it differs from want, and what is
// wrong with it when it was complete once and is damaged.
func resumeStore(dir *directory, want *proto.Identity) (*store, error) {
	f, err := dir.open(want.Name+segmentSuffix, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &store{dir: dir, name: want.Name, segmentFile: f, named: true}
	if err := Guard(func() error { return s.resume(want) }, s); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) resume(want *proto.Identity) error {
	id, err := readIdentity(s.segmentFile)
	if errors.Is(err, proto.ErrNotReady) {
		return fmt.Errorf("%w: %w", err, errUnusable)
	}
	if err != nil {
		return err
	}
	if err := differ(&id, want); err != nil {
		if over, e := s.peekOver(&id); e == nil && over {
			return errUnusable
		}
		return err
	}
	if s.segmentMap, err = mapFile(s.segmentFile, id.SegmentBytes(), readWrite); err != nil {
		return err
	}
	if s.segment, err = ring.Open(s.segmentMap.mem); err != nil {
		return err
	}
	s.segment.Keep(s.segmentMap)
	state := s.segment.State()
	s.openOld(&id)
	if state.Ended && !s.segment.Owes(s.old) {
		return errUnusable
	}
	return s.createTable(state.Epoch + 1)
}

// peekOver looks whether a ring of another geometry has ended and owes nothing.
func (s *store) peekOver(id *proto.Identity) (over bool, err error) {
	m, err := mapFile(s.segmentFile, id.SegmentBytes(), readOnly)
	if err != nil {
		return false, err
	}
	defer m.unmap()
	s.openOld(id)
	err = Guard(func() error {
		segment, err := ring.Open(m.mem)
		over = err == nil && segment.State().Ended && !segment.Owes(s.old)
		return err
	}, m, s)
	return over, err
}

// openOld maps the reader table of the epoch before. Without one, readers come
// back by position alone.
func (s *store) openOld(id *proto.Identity) {
	m, table, err := openTable(s.dir, s.name, id)
	if err == nil {
		s.oldMap, s.old = m, table
	}
}

func openTable(dir *directory, name string, id *proto.Identity) (*mapping, *ring.Table, error) {
	f, err := dir.open(name+tableSuffix, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	size, err := checkFile(f)
	if err != nil {
		return nil, nil, err
	}
	m, err := mapFile(f, min(size, proto.TableBytes(proto.MaxReaderSlots)), readOnly)
	if err != nil {
		return nil, nil, err
	}
	var table *ring.Table
	err = Guard(func() (err error) {
		table, err = ring.OpenTable(m.mem, id)
		return err
	}, m)
	if err != nil {
		m.unmap()
		return nil, nil, fmt.Errorf("reader table %q: %w", f.Name(), err)
	}
	return m, table, nil
}

// readIdentity checks the file of a segment and reads its identity with plain
// reads, which no truncation can turn into a fault.
func readIdentity(f *os.File) (proto.Identity, error) {
	size, err := checkFile(f)
	if err != nil {
		return proto.Identity{}, err
	}
	head := make([]byte, proto.IdentityBytes)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return proto.Identity{}, fmt.Errorf("read %q: %w", f.Name(), err)
	}
	id, err := proto.DecodeIdentity(head[:n])
	if err == nil && size < id.SegmentBytes() {
		err = fmt.Errorf("%d bytes, its header says %d: %w", size, id.SegmentBytes(), proto.ErrTruncated)
	}
	if err != nil {
		return id, fmt.Errorf("segment %q: %w", f.Name(), err)
	}
	return id, nil
}

// differ names the first thing in which a left-over ring is not what is asked
// for. The error wraps ErrMismatch.
func differ(have, want *proto.Identity) error {
	for _, field := range []struct {
		what       string
		have, want any
		same       bool
	}{
		{"capacity", have.Capacity, want.Capacity, have.Capacity == want.Capacity},
		{"frame limit", have.FrameLimit, want.FrameLimit, have.FrameLimit == want.FrameLimit},
		{"schema", have.Schema, want.Schema, have.Schema == want.Schema},
		{"reader slots", have.Slots, want.Slots, have.Slots == want.Slots},
		{"policy", have.Policy, want.Policy, have.Policy == want.Policy},
		{"metadata", string(have.Meta), string(want.Meta), bytes.Equal(have.Meta, want.Meta)},
	} {
		if !field.same {
			return fmt.Errorf("ring %q was left unfinished with %s %v, asked for is %v; ask for the same, let its readers finish, or recreate it: %w", have.Name, field.what, field.have, field.want, ErrMismatch)
		}
	}
	return nil
}
