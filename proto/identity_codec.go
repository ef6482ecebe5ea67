package proto

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/bits"
)

// Encode writes the identity without its ready word to dst, which must hold
// IdentityBytes bytes. The caller checks the identity first and stores ReadyWord
// last, with release order.
func (id *Identity) Encode(dst []byte) {
	clear(dst[:IdentityBytes])
	le.PutUint64(dst[IdMagic:], SegmentMagic)
	le.PutUint32(dst[IdEndian:], EndianProbe)
	le.PutUint16(dst[IdMajor:], id.Major)
	le.PutUint16(dst[IdMinor:], id.Minor)
	le.PutUint64(dst[IdRequired:], id.Required)
	le.PutUint64(dst[IdOptional:], id.Optional)
	le.PutUint64(dst[IdWriterOff:], id.WriterOff)
	le.PutUint64(dst[IdWriterBytes:], id.WriterBytes)
	le.PutUint64(dst[IdDataOff:], id.DataOff)
	le.PutUint64(dst[IdCapacity:], id.Capacity)
	copy(dst[IdRingID:], id.RingID[:])
	le.PutUint64(dst[IdFrameLimit:], id.FrameLimit)
	le.PutUint64(dst[IdStart:], id.Start)
	le.PutUint64(dst[IdCreatedNs:], id.CreatedNs)
	le.PutUint32(dst[IdCreatorPID:], id.CreatorPID)
	le.PutUint32(dst[IdCreatorUID:], id.CreatorUID)
	le.PutUint32(dst[IdPolicy:], uint32(id.Policy))
	le.PutUint32(dst[IdSlots:], id.Slots)
	dst[IdSchemaDType] = byte(id.Schema.DType)
	dst[IdSchemaNDim] = id.Schema.NDim
	for i, n := range id.Schema.Shape {
		le.PutUint64(dst[IdSchemaShape+8*i:], n)
	}
	putName(dst[IdName:], id.Name)
	putName(dst[IdCreatorExe:], id.CreatorExe)
	le.PutUint32(dst[IdMetaBytes:], uint32(len(id.Meta)))
	copy(dst[IdMeta:IdCRC], id.Meta)
	le.PutUint64(dst[IdCRC:], uint64(crc32.ChecksumIEEE(dst[:IdCRC])))
}

// DecodeIdentity reads and checks the identity at the start of a segment. It
// copies src first, so src may be memory that another process can write. Errors
// wrap the sentinels of errors.go; the order of checks lets a file that is no
// ring, of another byte order, of another version and damaged be told apart.
func DecodeIdentity(src []byte) (Identity, error) {
	var id Identity
	if len(src) < IdentityBytes {
		return id, fmt.Errorf("segment has %d bytes, its header alone needs %d: %w", len(src), IdentityBytes, ErrTruncated)
	}
	b := bytes.Clone(src[:IdentityBytes])
	if err := checkMagic(b, SegmentMagic); err != nil {
		return id, fmt.Errorf("segment: %w", err)
	}
	if probe := le.Uint32(b[IdEndian:]); probe != EndianProbe {
		return id, fmt.Errorf("segment: byte order probe %#x: %w", probe, ErrEndian)
	}
	id.Major = le.Uint16(b[IdMajor:])
	id.Minor = le.Uint16(b[IdMinor:])
	if id.Major != VersionMajor {
		return id, id.Check()
	}
	if ready := le.Uint64(b[IdReady:]); ready != ReadyWord {
		return id, fmt.Errorf("ready word is %#x, its creator may have died early: %w", ready, ErrNotReady)
	}
	stored, sum := le.Uint64(b[IdCRC:]), uint64(crc32.ChecksumIEEE(b[:IdCRC]))
	if stored != sum {
		return id, fmt.Errorf("identity has CRC %#x, its bytes give %#x: %w", stored, sum, ErrChecksum)
	}
	return decodeIdentityFields(b, id)
}

// checkMagic tells a foreign file from one of the other byte order.
func checkMagic(b []byte, magic uint64) error {
	switch got := le.Uint64(b); got {
	case magic:
		return nil
	case bits.ReverseBytes64(magic):
		return fmt.Errorf("magic %#x: %w", got, ErrEndian)
	default:
		return fmt.Errorf("magic %#x, want %#x: %w", got, magic, ErrMagic)
	}
}

func decodeIdentityFields(b []byte, id Identity) (Identity, error) {
	id.Required = le.Uint64(b[IdRequired:])
	id.Optional = le.Uint64(b[IdOptional:])
	id.WriterOff = le.Uint64(b[IdWriterOff:])
	id.WriterBytes = le.Uint64(b[IdWriterBytes:])
	id.DataOff = le.Uint64(b[IdDataOff:])
	id.Capacity = le.Uint64(b[IdCapacity:])
	copy(id.RingID[:], b[IdRingID:])
	id.FrameLimit = le.Uint64(b[IdFrameLimit:])
	id.Start = le.Uint64(b[IdStart:])
	id.CreatedNs = le.Uint64(b[IdCreatedNs:])
	id.CreatorPID = le.Uint32(b[IdCreatorPID:])
	id.CreatorUID = le.Uint32(b[IdCreatorUID:])
	id.Policy = Policy(le.Uint32(b[IdPolicy:]))
	id.Slots = le.Uint32(b[IdSlots:])
	id.Schema.DType = DType(b[IdSchemaDType])
	id.Schema.NDim = b[IdSchemaNDim]
	for i := range id.Schema.Shape {
		id.Schema.Shape[i] = le.Uint64(b[IdSchemaShape+8*i:])
	}
	id.Name = fieldName(b[IdName:])
	id.CreatorExe = fieldName(b[IdCreatorExe:])
	if err := id.checkHead(); err != nil {
		return id, err
	}
	n := le.Uint32(b[IdMetaBytes:])
	if n > MaxMetaBytes {
		return id, fmt.Errorf("metadata of %d bytes, at most %d: %w", n, MaxMetaBytes, ErrGeometry)
	}
	id.Meta = b[IdMeta : IdMeta+n : IdMeta+n]
	return id, id.Check()
}
