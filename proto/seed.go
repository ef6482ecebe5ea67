package proto

import (
	"encoding/binary"
	"fmt"
)

// The seed protocol over TCP, big-endian headers around little-endian float64
// payloads; see docs/protocol.md.
const (
	SeedChunkHeadBytes  = 4  // u32, payload length
	SeedResultHeadBytes = 13 // u64 Unix time in ns, u32 sequence, u8 type
	SeedItemBytes       = 8  // float64
)

// ResultHead precedes each result that the bridge sends. It holds no length: a
// result has as many values as the chunk of its sequence id.
type ResultHead struct {
	TimeNs   uint64 // Unix time
	Sequence uint32 // per connection, from 1
	Role     Role
}

// AppendChunkHead appends the header of a chunk of payloadBytes bytes.
func AppendChunkHead(dst []byte, payloadBytes uint32) []byte {
	return binary.BigEndian.AppendUint32(dst, payloadBytes)
}

// CheckChunk reads a chunk header and applies the rules: a positive multiple of
// SeedItemBytes, at most limitBytes, and exactly exactBytes unless that is 0. It
// returns the payload length in bytes. The error wraps ErrChunk and names the
// rule; a src shorter than the header wraps ErrTruncated.
func CheckChunk(src []byte, limitBytes, exactBytes uint64) (uint64, error) {
	if len(src) < SeedChunkHeadBytes {
		return 0, fmt.Errorf("chunk header cut after %d of %d bytes: %w", len(src), SeedChunkHeadBytes, ErrTruncated)
	}
	n := uint64(binary.BigEndian.Uint32(src))
	switch {
	case n == 0:
		return 0, fmt.Errorf("chunk of 0 bytes, a chunk holds at least one float64: %w", ErrChunk)
	case n%SeedItemBytes != 0:
		return 0, fmt.Errorf("chunk of %d bytes is not a multiple of %d: %w", n, SeedItemBytes, ErrChunk)
	case n > limitBytes:
		return 0, fmt.Errorf("chunk of %d bytes is over the limit of %d: %w", n, limitBytes, ErrChunk)
	case exactBytes != 0 && n != exactBytes:
		return 0, fmt.Errorf("chunk of %d bytes, this bridge takes %d: %w", n, exactBytes, ErrChunk)
	}
	return n, nil
}

// Append appends the encoded header to dst.
func (r ResultHead) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, r.TimeNs)
	dst = binary.BigEndian.AppendUint32(dst, r.Sequence)
	return append(dst, byte(r.Role))
}

// DecodeResultHead reads a result header. The error wraps ErrTruncated, or
// ErrMessage when the type is neither PRIMARY nor DELTA.
func DecodeResultHead(src []byte) (ResultHead, error) {
	if len(src) < SeedResultHeadBytes {
		return ResultHead{}, fmt.Errorf("result header cut after %d of %d bytes: %w", len(src), SeedResultHeadBytes, ErrTruncated)
	}
	r := ResultHead{
		TimeNs:   binary.BigEndian.Uint64(src),
		Sequence: binary.BigEndian.Uint32(src[8:]),
		Role:     Role(src[12]),
	}
	if r.Role > RoleDelta {
		return r, fmt.Errorf("result type %d is neither PRIMARY nor DELTA: %w", r.Role, ErrMessage)
	}
	return r, nil
}
