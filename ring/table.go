package ring

import (
	"fmt"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// Table is the reader table of one epoch. Readers in park mode map it writable,
// so every word in it is a hint that the writer checks against its own records.
type Table struct {
	mem  memory
	head proto.TableHead
}

// FormatTable makes mem, which is zeroed and proto.TableBytes(id.Slots) long, the
// empty reader table of an epoch. The error wraps ErrMemory.
func FormatTable(mem []byte, id *proto.Identity, epoch uint64) (*Table, error) {
	if want := proto.TableBytes(id.Slots); uint64(len(mem)) != want {
		return nil, fmt.Errorf("reader table of %d bytes in %d: %w", want, len(mem), ErrMemory)
	}
	m, err := newMemory(mem)
	if err != nil {
		return nil, err
	}
	head := proto.TableHead{Major: proto.VersionMajor, Minor: proto.VersionMinor, Slots: id.Slots, RingID: id.RingID, Epoch: epoch}
	head.Encode(mem)
	return &Table{mem: m, head: head}, nil
}

// OpenTable checks the reader table in mem against the ring it belongs to. Errors
// wrap ErrMemory, ErrSlot or those of proto.DecodeTableHead.
func OpenTable(mem []byte, id *proto.Identity) (*Table, error) {
	head, err := proto.DecodeTableHead(mem)
	if err != nil {
		return nil, err
	}
	if head.RingID != id.RingID {
		return nil, fmt.Errorf("reader table belongs to ring %v, not %v: %w", head.RingID, id.RingID, ErrSlot)
	}
	m, err := newMemory(mem)
	if err != nil {
		return nil, err
	}
	return &Table{mem: m, head: head}, nil
}

// Holds reports whether address lies in the table.
func (t *Table) Holds(address uintptr) bool { return t.mem.holds(address) }

// Slots is the number of reader slots.
func (t *Table) Slots() int { return int(t.head.Slots) }

// Epoch is the life of the writer this table belongs to.
func (t *Table) Epoch() uint64 { return t.head.Epoch }

// SlotView is a snapshot of one reader slot.
type SlotView struct {
	proto.SlotInfo
	Cursor uint64 // the reader is done with all before it
	Next   uint64 // the next position it reads, as of when it last waited
	Parked bool
}

// Slot reads slot i, 0 <= i < Slots().
func (t *Table) Slot(i int) SlotView {
	state := atomic.LoadUint64(t.slotWord(i, proto.SlState))
	info := proto.DecodeSlot(t.mem.slice(slotOffset(i), proto.SlotBytes))
	info.State, info.Generation = proto.SlotState(state), uint32(state>>32)
	return SlotView{
		SlotInfo: info,
		Cursor:   atomic.LoadUint64(t.slotWord(i, proto.SlCursor)),
		Next:     atomic.LoadUint64(t.slotWord(i, proto.SlNext)),
		Parked:   atomic.LoadUint64(t.slotWord(i, proto.SlParked)) != 0,
	}
}

// occupied reports whether a reader has the slot, and gates.
func (v *SlotView) occupied() bool {
	return v.State == proto.SlotActive || v.State == proto.SlotLost
}

func slotOffset(i int) uint64 {
	return proto.TableHeadBytes + uint64(i)*proto.SlotBytes
}

func (t *Table) slotWord(i int, field uint64) *uint64 {
	return t.mem.word(slotOffset(i) + field)
}

func (t *Table) headWord(field uint64) *uint64 { return t.mem.word(field) }

// describe stores the writer's half of slot i, the state word last.
func (t *Table) describe(i int, info *proto.SlotInfo) {
	info.Encode(t.mem.slice(slotOffset(i), proto.SlotBytes))
	atomic.StoreUint64(t.slotWord(i, proto.SlState), info.StateWord())
}
