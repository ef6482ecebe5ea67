package check

import (
	"bytes"
	"fmt"

	"github.com/edsrzf/mmap-go"
	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/proto"
)

// Checker follows one run of one script.
type Checker struct {
	script  *script.Script
	visible int // frames that a reader saw
	allowed int // frames that may be visible
	began   bool

	segment, table []byte // as of the last change
	scratch        scratch
	last           words
	Readers        int  // how many slots must gate; 0 = any number
	Owed           bool // a reader that gates has frames to come, so a ring that ended may be taken over
	States         int  // distinct states judged
	Frames         int  // frames that readers and observers compared
}

// scratch is memory for copies that ring code works on: page-aligned.
type scratch struct {
	maps            []mmap.MMap
	reading, table  []byte
	writing, newer  []byte
	older, observed []byte
}

// New makes a checker of one run. Close gives its memory back.
func New(s *script.Script) (*Checker, error) {
	c := &Checker{script: s, segment: make([]byte, s.ID.SegmentBytes()), table: make([]byte, proto.TableBytes(s.ID.Slots))}
	for _, b := range []*[]byte{&c.scratch.reading, &c.scratch.writing, &c.scratch.observed} {
		if err := c.scratch.make(b, len(c.segment)); err != nil {
			return nil, err
		}
	}
	for _, b := range []*[]byte{&c.scratch.table, &c.scratch.newer, &c.scratch.older} {
		if err := c.scratch.make(b, len(c.table)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (s *scratch) make(b *[]byte, bytes int) error {
	m, err := mmap.MapRegion(nil, bytes, mmap.RDWR, mmap.ANON, 0)
	if err != nil {
		return fmt.Errorf("memory for copies: %w", err)
	}
	s.maps = append(s.maps, m)
	*b = m[:bytes]
	return nil
}

// Close gives the memory back.
func (c *Checker) Close() {
	for _, m := range c.scratch.maps {
		m.Unmap()
	}
}

// Begin says that op begins. The error says that the one before did not make
// visible what it returned for.
func (c *Checker) Begin(op script.Operation) error {
	if err := c.End(); err != nil {
		return err
	}
	c.allowed = c.visible + op.Frames
	return nil
}

// End says that the operation under way has returned.
func (c *Checker) End() error {
	if c.visible != c.allowed {
		return fmt.Errorf("the operation returned, but of %d frames %d are visible", c.allowed, c.visible)
	}
	return nil
}

// Look judges the ring if it differs from what it was at the last call, and reports
// whether it did. Two pages of memory that is being mapped may be nil: there is
// nothing to see yet.
func (c *Checker) Look(segment, table []byte) (bool, error) {
	if c.began && bytes.Equal(segment, c.segment) && bytes.Equal(table, c.table) {
		return false, nil
	}
	c.States++
	now := readWords(segment, &c.script.ID)
	if c.began {
		if err := c.stores(segment, now.limit); err != nil {
			return true, err
		}
	}
	copy(c.segment, segment)
	copy(c.table, table)
	seen, err := c.readAll()
	if err != nil {
		return true, fmt.Errorf("reader: %w", err)
	}
	if err := c.count(seen); err != nil {
		return true, err
	}
	if err := c.rules(now); err != nil {
		return true, err
	}
	c.began, c.last = true, now
	if err := c.observe(); err != nil {
		return true, fmt.Errorf("observer: %w", err)
	}
	if err := c.audit(); err != nil {
		return true, fmt.Errorf("audit: %w", err)
	}
	if err := c.succeed(); err != nil {
		return true, fmt.Errorf("successor: %w", err)
	}
	return true, nil
}

// count takes in how many frames a reader sees by now.
func (c *Checker) count(seen int) error {
	switch {
	case seen < c.visible:
		return fmt.Errorf("lost: %d frames are visible, %d were", seen, c.visible)
	case seen > c.allowed:
		return fmt.Errorf("%d frames are visible, at most %d can be", seen, c.allowed)
	case seen != c.visible && seen != c.allowed:
		return fmt.Errorf("%d frames are visible, where all or none of %d to %d are due", seen, c.visible, c.allowed)
	}
	c.visible = seen
	return nil
}
