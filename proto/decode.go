package proto

import "fmt"

// DecodeHeader reads the header of the frame at position from src, which starts
// at the frame and reaches to the end of the space the frame may lie in (the
// wrap). payloadLimit is the ring's frame limit. The commit word in src must be
// that of a committed frame at position.
//
// The result describes memory inside src: header and payload fit, every element
// that shape and strides reach lies in the payload, and sizes do not overflow.
// Errors wrap ErrHeader, ErrShape or ErrTruncated. DecodeHeader reads each byte
// of src at most once, so src may be memory that another process can write.
func DecodeHeader(h *Header, src []byte, position, payloadLimit uint64) error {
	if len(src) < LineBytes {
		return fmt.Errorf("frame at position %d: %d bytes left before the wrap, header needs %d: %w", position, len(src), LineBytes, ErrTruncated)
	}
	word := le.Uint64(src[FrCommit:])
	kind := Kind(word & KindMask)
	if word&^KindMask != position || kind == 0 {
		return fmt.Errorf("frame at position %d: commit word %#x belongs elsewhere: %w", position, word, ErrHeader)
	}
	return DecodeCommitted(h, kind, src, position, payloadLimit)
}

// DecodeCommitted is DecodeHeader for a frame whose commit word was already
// read, by an atomic load, and found to be position|kind.
func DecodeCommitted(h *Header, kind Kind, src []byte, position, payloadLimit uint64) error {
	if len(src) < LineBytes {
		return fmt.Errorf("frame at position %d: %d bytes left before the wrap, header needs %d: %w", position, len(src), LineBytes, ErrTruncated)
	}
	desc := le.Uint64(src[FrDescribe:])
	*h = Header{
		Kind:       kind,
		Number:     le.Uint64(src[FrNumber:]),
		PayloadLen: desc & DescLenMask,
		DType:      DType(desc >> DescDTypeShift),
		NDim:       uint8(desc>>DescNDimShift) & 0xf,
		Flags:      uint8(desc >> DescFlagShift),
	}
	if h.Flags&^flagsKnown != 0 {
		return fmt.Errorf("frame at position %d: unknown flags %#x: %w", position, h.Flags, ErrHeader)
	}
	if kind == KindPadding {
		return decodePadding(h, src, position)
	}
	if h.PayloadLen > payloadLimit {
		return fmt.Errorf("frame at position %d: payload of %d bytes over the frame limit of %d: %w", position, h.PayloadLen, payloadLimit, ErrHeader)
	}
	if err := h.decodeExtension(src, position); err != nil {
		return err
	}
	if size := h.FrameBytes(); size > uint64(len(src)) {
		return fmt.Errorf("frame at position %d: %d bytes reach past the wrap, %d left: %w", position, size, len(src), ErrHeader)
	}
	return h.checkArray(position)
}

func decodePadding(h *Header, src []byte, position uint64) error {
	if h.Flags&FlagExtended != 0 {
		return fmt.Errorf("padding at position %d: has an extension: %w", position, ErrHeader)
	}
	h.NDim = 1 // whatever is stored, padding is an inline run of bytes
	if size := h.FrameBytes(); size != uint64(len(src)) {
		return fmt.Errorf("padding at position %d: %d bytes, the wrap is %d bytes away: %w", position, size, len(src), ErrHeader)
	}
	return nil
}

func (h *Header) decodeExtension(src []byte, position uint64) error {
	if !h.DType.Valid() {
		return fmt.Errorf("frame at position %d: dtype code %d: %w", position, h.DType, ErrHeader)
	}
	if h.NDim > MaxDims {
		return fmt.Errorf("frame at position %d: %d dimensions, at most %d: %w", position, h.NDim, MaxDims, ErrHeader)
	}
	if h.Flags&FlagExtended == 0 {
		if h.NDim != 1 {
			return fmt.Errorf("frame at position %d: %d dimensions without an extension: %w", position, h.NDim, ErrHeader)
		}
		return nil
	}
	return h.readExtension(src, position)
}

func (h *Header) readExtension(src []byte, position uint64) error {
	h.ExtFlags = src[FrExtFlags]
	if h.ExtFlags&^uint8(extKnown) != 0 {
		return fmt.Errorf("frame at position %d: unknown extension flags %#x: %w", position, h.ExtFlags, ErrHeader)
	}
	stored := int(le.Uint16(src[FrExtBytes:]))
	if want := h.extBytes(); stored != want {
		return fmt.Errorf("frame at position %d: extension of %d bytes, its flags need %d: %w", position, stored, want, ErrHeader)
	}
	if BaseBytes+stored > len(src) {
		return fmt.Errorf("frame at position %d: extension of %d bytes reaches past the wrap: %w", position, stored, ErrHeader)
	}
	h.Role = Role(src[FrRole])
	h.Sequence = le.Uint32(src[FrSequence:])
	h.TimeNs = le.Uint64(src[FrTimeNs:])
	h.Stream = le.Uint64(src[FrStream:])
	h.Source = le.Uint64(src[FrSource:])
	h.SourceID = le.Uint64(src[FrSourceID:])
	at := FrShape
	if h.ExtFlags&ExtShape != 0 {
		for i := range h.NDim {
			h.Shape[i] = le.Uint64(src[at:])
			at += 8
		}
	}
	if h.ExtFlags&ExtStrides != 0 {
		for i := range h.NDim {
			h.Strides[i] = int64(le.Uint64(src[at:]))
			at += 8
		}
	}
	return nil
}

// checkArray derives what the frame leaves out and proves that the array lies
// inside the payload.
func (h *Header) checkArray(position uint64) error {
	item := uint64(h.DType.Size())
	if h.ExtFlags&ExtShape == 0 {
		if err := h.deriveShape(item, position); err != nil {
			return err
		}
	}
	if h.ExtFlags&ExtStrides != 0 {
		need, err := StridedBytes(item, h.Shape[:h.NDim], h.Strides[:h.NDim])
		if err != nil {
			return fmt.Errorf("frame at position %d: %w", position, err)
		}
		if need > h.PayloadLen {
			return fmt.Errorf("frame at position %d: strides reach %d bytes, payload has %d: %w", position, need, h.PayloadLen, ErrShape)
		}
		return nil
	}
	need, err := ContiguousStrides(item, h.Shape[:h.NDim], h.Strides[:h.NDim])
	if err != nil {
		return fmt.Errorf("frame at position %d: %w", position, err)
	}
	if need != h.PayloadLen {
		return fmt.Errorf("frame at position %d: shape %v of %v needs %d bytes, payload has %d: %w", position, h.Shape[:h.NDim], h.DType, need, h.PayloadLen, ErrShape)
	}
	return nil
}

func (h *Header) deriveShape(item, position uint64) error {
	switch {
	case h.NDim == 0:
		return nil
	case h.NDim > 1:
		return fmt.Errorf("frame at position %d: %d dimensions without a shape: %w", position, h.NDim, ErrShape)
	case h.PayloadLen%item != 0:
		return fmt.Errorf("frame at position %d: payload of %d bytes is not a multiple of %v: %w", position, h.PayloadLen, h.DType, ErrShape)
	}
	h.Shape[0] = h.PayloadLen / item
	return nil
}
