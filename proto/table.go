package proto

import (
	"bytes"
	"fmt"
)

// TableHead is the fixed part of a reader table.
type TableHead struct {
	Major, Minor uint16
	Slots        uint32
	RingID       RingID
	Epoch        uint64
}

// Encode writes the head to dst, which must hold TableHeadBytes zeroed bytes.
func (t *TableHead) Encode(dst []byte) {
	le.PutUint64(dst[TbMagic:], TableMagic)
	le.PutUint16(dst[TbMajor:], t.Major)
	le.PutUint16(dst[TbMinor:], t.Minor)
	le.PutUint32(dst[TbSlots:], t.Slots)
	copy(dst[TbRingID:], t.RingID[:])
	le.PutUint64(dst[TbEpoch:], t.Epoch)
}

// DecodeTableHead reads and checks the head of a reader table of len(src) bytes.
// Errors wrap ErrMagic, ErrEndian, ErrVersion, ErrTruncated or ErrGeometry.
func DecodeTableHead(src []byte) (TableHead, error) {
	var t TableHead
	if len(src) < TableHeadBytes {
		return t, fmt.Errorf("reader table has %d bytes, its head needs %d: %w", len(src), TableHeadBytes, ErrTruncated)
	}
	b := bytes.Clone(src[:TableHeadBytes])
	if err := checkMagic(b[TbMagic:], TableMagic); err != nil {
		return t, fmt.Errorf("reader table: %w", err)
	}
	t = TableHead{
		Major: le.Uint16(b[TbMajor:]), Minor: le.Uint16(b[TbMinor:]),
		Slots: le.Uint32(b[TbSlots:]), Epoch: le.Uint64(b[TbEpoch:]),
	}
	copy(t.RingID[:], b[TbRingID:])
	if t.Major != VersionMajor {
		return t, fmt.Errorf("reader table has version %d.%d, this program speaks %d.%d: %w", t.Major, t.Minor, VersionMajor, VersionMinor, ErrVersion)
	}
	if t.Slots == 0 || t.Slots > MaxReaderSlots {
		return t, fmt.Errorf("reader table of %d slots, from 1 to %d: %w", t.Slots, MaxReaderSlots, ErrGeometry)
	}
	if want := TableBytes(t.Slots); uint64(len(src)) < want {
		return t, fmt.Errorf("reader table has %d bytes, %d slots need %d: %w", len(src), t.Slots, want, ErrTruncated)
	}
	return t, nil
}

// SlotInfo is the writer's half of a reader slot.
type SlotInfo struct {
	State      SlotState
	Generation uint32
	PID        uint32 // a label
	Wake       Wake
	KeepMs     uint32
	EvictMs    uint32
	Start      uint64
	AttachedNs uint64 // Unix time
	Name       string
}

// StateWord packs state and generation as SlState holds them.
func (s *SlotInfo) StateWord() uint64 {
	return uint64(s.State) | uint64(s.Generation)<<32
}

// Encode writes everything but the state word, which is stored last, to the
// slot at dst.
func (s *SlotInfo) Encode(dst []byte) {
	le.PutUint32(dst[SlPID:], s.PID)
	le.PutUint32(dst[SlWake:], uint32(s.Wake))
	le.PutUint32(dst[SlKeepMs:], s.KeepMs)
	le.PutUint32(dst[SlEvictMs:], s.EvictMs)
	le.PutUint64(dst[SlStart:], s.Start)
	le.PutUint64(dst[SlAttachedNs:], s.AttachedNs)
	putName(dst[SlName:], s.Name)
}

// DecodeSlot reads the writer's half of the slot at src. Any bytes decode; a
// state that is not known reads as it stands.
func DecodeSlot(src []byte) SlotInfo {
	state := le.Uint64(src[SlState:])
	return SlotInfo{
		State: SlotState(state), Generation: uint32(state >> 32),
		PID: le.Uint32(src[SlPID:]), Wake: Wake(le.Uint32(src[SlWake:])),
		KeepMs: le.Uint32(src[SlKeepMs:]), EvictMs: le.Uint32(src[SlEvictMs:]),
		Start: le.Uint64(src[SlStart:]), AttachedNs: le.Uint64(src[SlAttachedNs:]),
		Name: fieldName(src[SlName:]),
	}
}
