package proto

import (
	"fmt"
	"math/bits"
)

// RingID tells one life of a ring's files from another. It is random.
type RingID [16]byte

// Short is the first eight bytes, as frames carry it to name their source ring.
func (id RingID) Short() uint64 { return le.Uint64(id[:]) }

// String returns the id in hexadecimal.
func (id RingID) String() string { return fmt.Sprintf("%x", id[:]) }

// Identity is the part of a segment that never changes after creation.
type Identity struct {
	Major, Minor uint16
	Required     uint64 // feature bits a peer must know; none exist yet
	Optional     uint64 // feature bits a peer may ignore
	WriterOff    uint64
	WriterBytes  uint64
	DataOff      uint64
	Capacity     uint64 // bytes, a power of two
	RingID       RingID
	FrameLimit   uint64 // largest payload in bytes
	Start        uint64 // first position
	CreatedNs    uint64 // Unix time
	CreatorPID   uint32 // a label
	CreatorUID   uint32
	Policy       Policy
	Slots        uint32 // reader slots
	Schema       Schema
	Name         string
	CreatorExe   string
	Meta         []byte // UTF-8 JSON, at most MaxMetaBytes
}

// SegmentBytes is the size of a segment file of this identity.
func (id *Identity) SegmentBytes() uint64 { return id.DataOff + id.Capacity }

// TableBytes is the size of a reader table of slots slots.
func TableBytes(slots uint32) uint64 {
	return TableHeadBytes + uint64(slots)*SlotBytes
}

// NewIdentity fills in version, regions and defaults for a ring of capacity
// bytes. The caller sets what is left. Check reports what is wrong with it.
func NewIdentity(name string, capacity uint64) Identity {
	id := Identity{
		Major: VersionMajor, Minor: VersionMinor,
		WriterOff: IdentityBytes, WriterBytes: WriterBytes,
		DataOff: DataOffset, Capacity: capacity,
		FrameLimit: capacity / PayloadDivisor,
		Slots:      DefaultSlots,
		Schema:     Schema{NDim: AnyNDim},
		Name:       name,
	}
	if capacity >= HugeFromBytes {
		id.DataOff = HugeAlignBytes
	}
	return id
}

// Check reports the first contradiction in the identity. Errors wrap
// ErrVersion, ErrFeature, ErrGeometry, ErrName or ErrShape.
func (id *Identity) Check() error {
	if err := id.checkHead(); err != nil {
		return err
	}
	if len(id.Meta) > MaxMetaBytes {
		return fmt.Errorf("metadata has %d bytes, at most %d: %w", len(id.Meta), MaxMetaBytes, ErrGeometry)
	}
	if err := id.checkRegions(); err != nil {
		return err
	}
	return id.Schema.check()
}

// checkHead looks at what tells whether the rest can be understood.
func (id *Identity) checkHead() error {
	if id.Major != VersionMajor {
		return fmt.Errorf("segment has version %d.%d, this program speaks %d.%d: %w", id.Major, id.Minor, VersionMajor, VersionMinor, ErrVersion)
	}
	if id.Required != 0 {
		return fmt.Errorf("segment needs features %#x: %w", id.Required, ErrFeature)
	}
	if err := CheckName(id.Name); err != nil {
		return err
	}
	if len(id.CreatorExe) > MaxNameBytes {
		return fmt.Errorf("creator name has %d bytes, at most %d: %w", len(id.CreatorExe), MaxNameBytes, ErrName)
	}
	return nil
}

func (id *Identity) checkRegions() error {
	switch {
	case bits.OnesCount64(id.Capacity) != 1 || id.Capacity < MinCapacityBytes || id.Capacity > MaxCapacityBytes:
		return fmt.Errorf("capacity %d is not a power of two from %d to %d: %w", id.Capacity, MinCapacityBytes, uint64(MaxCapacityBytes), ErrGeometry)
	case id.FrameLimit == 0 || id.FrameLimit > id.Capacity/PayloadDivisor:
		return fmt.Errorf("frame limit %d is not from 1 to a quarter of the capacity %d: %w", id.FrameLimit, id.Capacity, ErrGeometry)
	case id.WriterOff < IdentityBytes || id.WriterOff%PageBytes != 0 || id.WriterBytes < WriterBytes || id.WriterBytes > 1<<20:
		return fmt.Errorf("writer region of %d bytes at %d: %w", id.WriterBytes, id.WriterOff, ErrGeometry)
	case id.WriterOff > 1<<30 || id.DataOff > 1<<31 || id.DataOff%PageBytes != 0 || id.DataOff < id.WriterOff+id.WriterBytes:
		return fmt.Errorf("data region at %d, writer region of %d bytes at %d: %w", id.DataOff, id.WriterBytes, id.WriterOff, ErrGeometry)
	case id.Start%LineBytes != 0:
		return fmt.Errorf("start position %d is not a multiple of %d: %w", id.Start, LineBytes, ErrGeometry)
	case id.Slots == 0 || id.Slots > MaxReaderSlots:
		return fmt.Errorf("%d reader slots, from 1 to %d: %w", id.Slots, MaxReaderSlots, ErrGeometry)
	case id.Policy > PolicyDropNewest:
		return fmt.Errorf("policy %d is unknown: %w", id.Policy, ErrGeometry)
	}
	return nil
}
