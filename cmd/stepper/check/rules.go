package check

import (
	"encoding/binary"
	"fmt"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

var le = binary.LittleEndian

// words are those of the writer that rules speak of.
type words struct {
	epoch, limit, tail, number, final uint64
}

func readWords(segment []byte, id *proto.Identity) words {
	w := segment[id.WriterOff:]
	return words{
		epoch: le.Uint64(w[proto.WrEpoch:]), limit: le.Uint64(w[proto.WrLimit:]), tail: le.Uint64(w[proto.WrTail:]),
		number: le.Uint64(w[proto.WrNumber:]), final: le.Uint64(w[proto.WrFinal:]),
	}
}

// stores judges where the writer stored since the last look. A word of data that
// changed belongs to the position from the end of what was committed on; it must be
// below the limit that was shared before.
func (c *Checker) stores(segment []byte, limit uint64) error {
	id := &c.script.ID
	if string(segment[:id.WriterOff]) != string(c.segment[:id.WriterOff]) {
		return fmt.Errorf("the identity changed")
	}
	end := c.script.End(c.visible)
	was, is := c.segment[id.DataOff:], segment[id.DataOff:]
	for line := uint64(0); line < id.Capacity; line += proto.LineBytes {
		if string(was[line:line+proto.LineBytes]) == string(is[line:line+proto.LineBytes]) {
			continue
		}
		for off := line; off < line+proto.LineBytes; off += 8 {
			if string(was[off:off+8]) == string(is[off:off+8]) {
				continue
			}
			if p := end + (off-end)&(id.Capacity-1); int64(p-c.last.limit) >= 0 {
				return fmt.Errorf("stored %#x at offset %d, position %d, with committed frames up to %d and limit %d (now %d)",
					le.Uint64(is[off:]), off, p, end, c.last.limit, limit)
			}
		}
	}
	return nil
}

// rules judges the words of the writer and of the table.
func (c *Checker) rules(now words) error {
	id, end := &c.script.ID, c.script.End(c.visible)
	if c.began {
		for _, w := range []struct {
			name    string
			was, is uint64
		}{{"epoch", c.last.epoch, now.epoch}, {"limit", c.last.limit, now.limit}, {"tail", c.last.tail, now.tail}, {"frame number", c.last.number, now.number}} {
			if int64(w.is-w.was) < 0 {
				return fmt.Errorf("%s went back from %d to %d", w.name, w.was, w.is)
			}
		}
	}
	behind := end - now.tail
	switch {
	case int64(behind) < 0 || behind > id.Capacity:
		return fmt.Errorf("tail %d, committed frames end at %d", now.tail, end)
	case int64(now.limit-end) < 0:
		return fmt.Errorf("limit %d, committed frames end at %d", now.limit, end)
	case now.limit-now.tail > id.Capacity:
		return fmt.Errorf("limit %d, tail %d: the tail's frame is given up", now.limit, now.tail)
	case now.number > uint64(c.visible):
		return fmt.Errorf("frame number %d, %d frames are committed", now.number, c.visible)
	case now.final != 0 && now.final != end|1:
		return fmt.Errorf("final word %#x, committed frames end at %d", now.final, end)
	}
	if word := le.Uint64(c.segment[id.DataOff+end&(id.Capacity-1):]); word != 0 {
		return fmt.Errorf("word %#x at position %d, where the next frame will start, is not 0", word, end)
	}
	return c.gates(now.limit)
}

// gates judges the limit against every reader the table says the writer waits for.
func (c *Checker) gates(limit uint64) error {
	copy(c.scratch.older, c.table)
	table, err := ring.OpenTable(c.scratch.older, &c.script.ID)
	if err != nil {
		return err
	}
	gates := 0
	for i := range table.Slots() {
		v := table.Slot(i)
		if gating(v) {
			gates++
		}
		if gating(v) && int64(limit-v.Cursor) > int64(c.script.ID.Capacity) {
			return fmt.Errorf("limit %d passes reader %q at %d by more than the capacity", limit, v.Name, v.Cursor)
		}
	}
	if gates < c.Readers {
		return fmt.Errorf("lost: the table has %d readers that gate, due are %d", gates, c.Readers)
	}
	return nil
}

func gating(v ring.SlotView) bool {
	return v.State == proto.SlotActive || v.State == proto.SlotLost
}

// audit has the library's own checker look at the copy.
func (c *Checker) audit() error {
	copy(c.scratch.observed, c.segment)
	copy(c.scratch.older, c.table)
	segment, err := ring.Open(c.scratch.observed)
	if err != nil {
		return err
	}
	table, err := ring.OpenTable(c.scratch.older, segment.Identity())
	if err != nil {
		return err
	}
	if found := segment.Audit(table); len(found) > 0 {
		return fmt.Errorf("%s: %s", found[0].Rule, found[0].Text)
	}
	return nil
}
