package proto

import (
	"encoding/binary"
	"fmt"
)

// Header is the decoded header of one frame: what the base header and, when
// FlagExtended is set, the extension say. The zero value describes an inline
// frame of no valid dtype.
//
// Shape and Strides hold NDim meaningful entries; Strides are in bytes. Decode
// fills both for every frame, also where the stored frame leaves them to be
// derived.
type Header struct {
	Kind       Kind
	Number     uint64
	PayloadLen uint64 // bytes
	DType      DType
	NDim       uint8
	Flags      uint8 // Flag bits
	ExtFlags   uint8 // Ext bits, 0 without FlagExtended
	Role       Role
	Sequence   uint32 // per stream
	TimeNs     uint64 // Unix time
	Stream     uint64
	Source     uint64 // position of the source frame in its ring
	SourceID   uint64 // first eight bytes of the source ring's id
	Shape      [MaxDims]uint64
	Strides    [MaxDims]int64
}

// Extended reports whether the header needs an extension: anything but a
// one-dimensional contiguous array, or any of stream, source, time and role.
func (h *Header) Extended() bool {
	return h.NDim != 1 || h.ExtFlags != 0 || h.Role != 0 || h.Flags&FlagExtended != 0
}

// HeadBytes is the distance from the frame's start to its payload.
func (h *Header) HeadBytes() uint64 {
	if !h.Extended() {
		return BaseBytes
	}
	return alignLine(BaseBytes + uint64(h.extBytes()))
}

// FrameBytes is the space the frame takes in the ring: a multiple of LineBytes
// and at least LineBytes.
func (h *Header) FrameBytes() uint64 {
	return alignLine(h.HeadBytes() + h.PayloadLen)
}

// FrameBytes is the space of an inline frame of payloadLen bytes.
func FrameBytes(payloadLen uint64) uint64 { return alignLine(BaseBytes + payloadLen) }

// MaxFrameBytes bounds the space of any frame whose payload is at most
// payloadLen bytes.
func MaxFrameBytes(payloadLen uint64) uint64 {
	return alignLine(alignLine(HeadMax) + payloadLen)
}

func alignLine(n uint64) uint64 { return (n + LineBytes - 1) &^ (LineBytes - 1) }

func (h *Header) extBytes() int {
	n := ExtMinBytes
	if h.ExtFlags&ExtShape != 0 {
		n += 8 * int(h.NDim)
	}
	if h.ExtFlags&ExtStrides != 0 {
		n += 8 * int(h.NDim)
	}
	return n
}

// Describe packs payload length, dtype, dimensions and flags into the
// description word.
func Describe(payloadLen uint64, dt DType, ndim, flags uint8) uint64 {
	return payloadLen | uint64(dt)<<DescDTypeShift |
		uint64(ndim)<<DescNDimShift | uint64(flags)<<DescFlagShift
}

// Encode writes everything of the header but the commit word, which the writer
// stores last, to the start of dst. Reserved bytes up to the payload are zeroed.
// dst must hold HeadBytes bytes; a shorter one panics, as misuse by the caller.
func (h *Header) Encode(dst []byte) {
	flags := h.Flags
	if h.Extended() {
		flags |= FlagExtended
	}
	head := dst[:h.HeadBytes()]
	le.PutUint64(head[FrNumber:], h.Number)
	le.PutUint64(head[FrDescribe:], Describe(h.PayloadLen, h.DType, h.NDim, flags))
	if flags&FlagExtended == 0 {
		return
	}
	clear(head[BaseBytes:])
	le.PutUint16(head[FrExtBytes:], uint16(h.extBytes()))
	head[FrExtFlags] = h.ExtFlags
	head[FrRole] = byte(h.Role)
	le.PutUint32(head[FrSequence:], h.Sequence)
	le.PutUint64(head[FrTimeNs:], h.TimeNs)
	le.PutUint64(head[FrStream:], h.Stream)
	le.PutUint64(head[FrSource:], h.Source)
	le.PutUint64(head[FrSourceID:], h.SourceID)
	at := FrShape
	if h.ExtFlags&ExtShape != 0 {
		for i := range h.NDim {
			le.PutUint64(head[at:], h.Shape[i])
			at += 8
		}
	}
	if h.ExtFlags&ExtStrides != 0 {
		for i := range h.NDim {
			le.PutUint64(head[at:], uint64(h.Strides[i]))
			at += 8
		}
	}
}

var le = binary.LittleEndian

// Complete derives what a writer leaves open: PayloadLen, ExtShape, and the
// strides of a C-order array. With ExtStrides the strides given are checked and
// PayloadLen is what they reach. What it accepts, decoders accept. Errors wrap
// ErrShape, or ErrHeader for unknown flags.
func (h *Header) Complete() error {
	if h.Flags&^flagsKnown != 0 || h.ExtFlags&^uint8(extKnown) != 0 {
		return fmt.Errorf("unknown flags %#x or extension flags %#x: %w", h.Flags, h.ExtFlags, ErrHeader)
	}
	if !h.DType.Valid() {
		return fmt.Errorf("dtype code %d: %w", h.DType, ErrDType)
	}
	if h.NDim > MaxDims {
		return fmt.Errorf("%d dimensions, at most %d: %w", h.NDim, MaxDims, ErrShape)
	}
	if h.NDim > 1 || h.ExtFlags&ExtStrides != 0 {
		h.ExtFlags |= ExtShape
	}
	var err error
	item := uint64(h.DType.Size())
	if h.ExtFlags&ExtStrides != 0 {
		h.PayloadLen, err = StridedBytes(item, h.Shape[:h.NDim], h.Strides[:h.NDim])
	} else {
		h.PayloadLen, err = ContiguousStrides(item, h.Shape[:h.NDim], h.Strides[:h.NDim])
	}
	return err
}
