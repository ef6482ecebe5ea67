package ring

import (
	"fmt"
	"runtime/debug"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// Frame is one committed frame under lease. It belongs to the reader that returned
// it and is reused by the next call of Next; what its methods return aliases the
// ring (an Observer's: the observer's own buffer) and is valid until then, or until
// Release.
type Frame struct {
	seg      *Segment
	position uint64
	end      uint64
	number   uint64
	desc     uint64
	lost     uint64
	payload  []byte
	head     proto.Header // meaningful if extended
	extended bool
	kind     proto.Kind
}

// Payload is the elements' memory, read-only.
func (f *Frame) Payload() []byte { return f.payload }

// Position is where the frame starts in the ring.
func (f *Frame) Position() uint64 { return f.position }

// End is the position after the frame.
func (f *Frame) End() uint64 { return f.end }

// Number counts the delivered frames of the ring from 0; a loss is a difference.
func (f *Frame) Number() uint64 { return f.number }

// Lost is how many frames an Observer missed before this one; 0 for other readers.
func (f *Frame) Lost() uint64 { return f.lost }

// Kind tells data from other delivered frames, such as proto.KindStreamEnd.
func (f *Frame) Kind() proto.Kind { return f.kind }

// DType is the element type.
func (f *Frame) DType() proto.DType { return proto.DType(f.desc >> proto.DescDTypeShift) }

// NDim is the number of dimensions.
func (f *Frame) NDim() int { return int(f.desc>>proto.DescNDimShift) & 0xf }

// Header is everything the frame's header says, with shape and strides filled in.
func (f *Frame) Header() proto.Header {
	if f.extended {
		return f.head
	}
	h := proto.Header{
		Kind: f.kind, Number: f.number, PayloadLen: uint64(len(f.payload)),
		DType: f.DType(), NDim: 1, Flags: uint8(f.desc>>proto.DescFlagShift) &^ proto.FlagExtended,
	}
	size := h.DType.Size()
	h.Shape[0], h.Strides[0] = h.PayloadLen/uint64(size), int64(size)
	return h
}

// More reports whether another frame of the same group follows.
func (f *Frame) More() bool { return f.desc>>proto.DescFlagShift&proto.FlagMore != 0 }

// Array is the frame as a read-only N-dimensional array over its payload.
func (f *Frame) Array() (nd.Array, error) {
	a, err := f.array()
	return a.ReadOnly(), err
}

func (f *Frame) array() (nd.Array, error) {
	if f.extended {
		return headerArray(&f.head, f.payload)
	}
	return inlineArray(f.desc, f.payload)
}

// Float64s is the payload of a C-order f64 frame as a slice, or nil if the frame
// is of another dtype or strided.
func (f *Frame) Float64s() []float64 {
	if f.DType() != proto.F64 || f.extended && f.head.ExtFlags&proto.ExtStrides != 0 {
		return nil
	}
	return float64s(f.payload)
}

// Values is the payload of a C-order frame of T's dtype as a slice. The error
// wraps nd's for another dtype or a strided frame.
func Values[T nd.Number](f *Frame) ([]T, error) {
	a, err := f.array()
	if err != nil {
		return nil, err
	}
	return nd.Slice[T](a)
}

// Valid reports whether everything read of the frame so far was intact. It is of
// use to readers that the writer does not wait for. Of a ring whose memory is lost,
// or unmapped since, nothing is valid.
func (f *Frame) Valid() bool { return f.Check() == nil }

// Check is Valid with the reason: ErrEvicted if the writer has given the frame's memory
// to others, ErrSegmentLost if there is none any more.
func (f *Frame) Check() (err error) {
	done := false
	defer func(before bool) {
		if done {
			debug.SetPanicOnFault(before)
			return
		}
		err = Lost(recover(), before, f.seg)
	}(debug.SetPanicOnFault(true))
	if !f.seg.intact(f.position) {
		err = fmt.Errorf("frame %d at position %d: %w", f.number, f.position, ErrEvicted)
	}
	done = true
	return err
}

// inlineArray is the array of an inline frame: one dimension, C order.
func inlineArray(desc uint64, payload []byte) (nd.Array, error) {
	dt := proto.DType(desc >> proto.DescDTypeShift)
	d, err := nd.Contiguous(dt, len(payload)/max(1, dt.Size()))
	if err != nil {
		return nd.Array{}, err
	}
	return nd.New(d, payload)
}

// headerArray is the array that a complete header describes.
func headerArray(h *proto.Header, payload []byte) (nd.Array, error) {
	return nd.New(nd.Desc{DType: h.DType, NDim: int(h.NDim), Shape: h.Shape, Strides: h.Strides}, payload)
}

// set makes f the frame at position whose commit word was read and found to be
// position|kind. It reads each header byte once and fails with ErrCorrupt.
func (f *Frame) set(s *Segment, position uint64, kind proto.Kind) error {
	if err := s.header(&f.head, position, kind); err != nil {
		return err
	}
	h := &f.head
	f.seg, f.position, f.end, f.number = s, position, position+h.FrameBytes(), h.Number
	f.desc = proto.Describe(h.PayloadLen, h.DType, h.NDim, h.Flags)
	f.kind, f.extended = kind, h.Flags&proto.FlagExtended != 0
	f.payload = nil
	if kind != proto.KindPadding {
		f.payload = s.data.slice(position&s.mask+h.HeadBytes(), h.PayloadLen)
	}
	return nil
}

// delivered reports whether the frame is for the caller: padding and skippable kinds
// are not. ErrKind says that reading cannot go on.
func (f *Frame) delivered() (bool, error) {
	switch {
	case f.kind == proto.KindData || f.kind == proto.KindStreamEnd:
		return true, nil
	case f.kind == proto.KindPadding || f.kind >= proto.KindSkippable:
		return false, nil
	}
	return false, fmt.Errorf("frame at position %d is of kind %d: %w", f.position, f.kind, ErrKind)
}

// unexpected is the error for a word that no writer leaves where a lossless reader
// looks.
func unexpected(position, word uint64) error {
	return fmt.Errorf("word %#x at position %d is neither 0 nor a commit: %w", word, position, ErrCorrupt)
}
