package ring

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// Claim is space for one frame, to be written in place. It belongs to its Writer,
// is valid until Commit or Abort, and is reused by the next claim.
type Claim struct {
	w       *Writer
	desc    uint64 // inline frames
	payload []byte

	// Of frames that are not plain.
	at     uint64 // where the frame starts
	size   uint64
	kind   proto.Kind
	head   proto.Header // unless inline
	inline bool         // desc says all of it
}

// Claim claims a data frame for a C-order array of dt and shape and waits for room
// as the ring's policy says. The payload holds whatever lay there before. ctx is
// looked at only when the call has to wait.
//
// Errors: ErrClaimOpen, ErrFrameTooLarge, ErrDropped, ErrFinished, ErrSegmentLost,
// those of ctx, and proto.ErrShape when the array overflows or the ring's schema does not admit
// it.
func (w *Writer) Claim(ctx context.Context, dt proto.DType, shape ...int) (*Claim, error) {
	at := w.pos
	if w.open != openNone || dt != w.like.dtype || len(shape) != 1 || shape[0] != w.like.items || int64(at-w.like.last) > 0 {
		return w.claimShape(ctx, dt, shape)
	}
	c := &w.claim
	c.desc = w.like.desc
	c.payload = w.data.inline(at, w.like.bytes)
	w.open = openPlain
	return c, nil
}

// likeness is what was checked of the inline data frame claimed last, so that the
// next claim for the same array needs no check but that of room.
type likeness struct {
	dtype proto.DType
	items int
	bytes uint64 // not 0
	size  uint64 // noSize = none yet
	desc  uint64
	last  uint64 // the last position at which there is room for another
}

// remember keeps the likeness of h, an inline data frame, and reports whether it did:
// not of a frame without payload, which has no memory to point to.
func (w *Writer) remember(h *proto.Header, size uint64) bool {
	if h.PayloadLen == 0 {
		return false
	}
	w.like = likeness{
		dtype: h.DType, items: int(h.Shape[0]), bytes: h.PayloadLen, size: size,
		desc: proto.Describe(h.PayloadLen, h.DType, h.NDim, 0),
	}
	w.setRoom()
	return true
}

// large reports whether frames like the last one are so large that room for each is
// proven by itself, ahead of its claim.
func (w *Writer) large() bool {
	return w.like.size != noSize && w.like.size >= w.seg.capacity/proto.MarkCount
}

// claimLike is Claim for an array like the one before that lies behind the wrap, or
// for which room is yet to be made.
func (w *Writer) claimLike(ctx context.Context) (*Claim, error) {
	at, err := w.reserve(ctx, w.like.size)
	if err != nil {
		return nil, err
	}
	c := &w.claim
	c.at, c.size, c.kind, c.inline = at, w.like.size, proto.KindData, true
	c.desc = w.like.desc
	c.payload = w.data.inline(at, w.like.bytes)
	w.open = openClaim
	if at == w.pos {
		w.open = openPlain
	}
	return c, nil
}

// claimShape is Claim for everything but an array like the one before that fits at
// once.
func (w *Writer) claimShape(ctx context.Context, dt proto.DType, shape []int) (*Claim, error) {
	if w.open == openNone && w.like.size != noSize && len(shape) == 1 && dt == w.like.dtype && shape[0] == w.like.items {
		return w.claimLike(ctx)
	}
	h := proto.Header{DType: dt, NDim: uint8(len(shape))}
	if len(shape) > proto.MaxDims {
		return nil, fmt.Errorf("claim: %d dimensions, at most %d: %w", len(shape), proto.MaxDims, proto.ErrShape)
	}
	for i, n := range shape {
		if n < 0 {
			return nil, fmt.Errorf("claim: dimension %d is %d: %w", i, n, proto.ErrShape)
		}
		h.Shape[i] = uint64(n)
	}
	return w.ClaimFrame(ctx, &h)
}

// ClaimFrame claims one frame described by h, of which DType, NDim, Shape and,
// with proto.ExtStrides, Strides count; so do Role, Sequence, TimeNs, Stream,
// Source and SourceID together with their proto.Ext flags. Kind 0 means
// proto.KindData. Number and PayloadLen are filled in. Errors as for Claim.
func (w *Writer) ClaimFrame(ctx context.Context, h *proto.Header) (*Claim, error) {
	if w.open != openNone {
		return nil, fmt.Errorf("claim: %w", w.claimOpen())
	}
	c := &w.claim
	c.head = *h
	if err := w.complete(&c.head); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	c.size = c.head.FrameBytes()
	at, err := w.reserve(ctx, c.size)
	if err != nil {
		return nil, err
	}
	c.at, c.kind, c.inline = at, c.head.Kind, !c.head.Extended() && c.head.Kind == proto.KindData
	w.open = openClaim
	if c.inline && w.remember(&c.head, c.size) && at == w.pos {
		w.open = openPlain
	}
	c.desc = proto.Describe(c.head.PayloadLen, c.head.DType, c.head.NDim, 0)
	c.payload = w.seg.data.slice(at&w.seg.mask+c.head.HeadBytes(), c.head.PayloadLen)
	return c, nil
}

// extFlags are the extension flags that readers know.
const extFlags = proto.ExtShape | proto.ExtStrides | proto.ExtStream | proto.ExtSource | proto.ExtTime

// complete checks what the caller said of a frame and derives the rest.
func (w *Writer) complete(h *proto.Header) error {
	if h.Kind == 0 {
		h.Kind = proto.KindData
	}
	known := h.Kind == proto.KindData || h.Kind == proto.KindStreamEnd || h.Kind >= proto.KindSkippable
	if !known || h.Kind > proto.KindMask || h.ExtFlags&^extFlags != 0 {
		return fmt.Errorf("frame kind %d, extension flags %#x: %w", h.Kind, h.ExtFlags, proto.ErrHeader)
	}
	h.Flags &= proto.FlagExtended // the others are not the caller's to give
	if err := h.Complete(); err != nil {
		return err
	}
	if h.Kind == proto.KindData {
		if err := w.seg.id.Schema.Admit(h.DType, h.Shape[:h.NDim]); err != nil {
			return err
		}
	}
	if limit := w.seg.id.FrameLimit; h.PayloadLen > limit {
		return fmt.Errorf("payload of %d bytes, the ring's frame limit is %d; create it with a larger capacity or frame limit: %w", h.PayloadLen, limit, ErrFrameTooLarge)
	}
	return nil
}

// reserve waits for room for size bytes that do not cross the wrap and returns
// where they start: at the writer's position, or at the wrap after padding.
func (w *Writer) reserve(ctx context.Context, size uint64) (uint64, error) {
	if w.ended != nil {
		return 0, fmt.Errorf("claim: %w", w.ended)
	}
	if err := w.Err(); err != nil {
		return 0, fmt.Errorf("claim: %w", err)
	}
	at := w.pos
	if left := w.seg.toWrap(at); size > left {
		at += left
	}
	if need := at + size + proto.LineBytes; int64(need-w.lim) > 0 {
		if err := w.guarded(func() error { return w.raise(ctx, need) }); err != nil {
			return 0, err
		}
	}
	w.setRoom()
	return at, nil
}

// Payload is the space for the elements, in the claimed frame itself.
func (c *Claim) Payload() []byte { return c.payload }

// Float64s is the payload as float64, or nil if the frame is of another dtype.
func (c *Claim) Float64s() []float64 {
	if proto.DType(c.desc>>proto.DescDTypeShift) != proto.F64 {
		return nil
	}
	return float64s(c.payload)
}

// Array is the claimed frame as an N-dimensional array, writable in place.
func (c *Claim) Array() (nd.Array, error) {
	if c.w.open == openPlain || c.inline {
		return inlineArray(c.desc, c.payload)
	}
	return headerArray(&c.head, c.payload)
}

// Commit makes the frame visible to readers, whole. The claim is over. Commit of a
// claim that is over does nothing. If the ring's memory is lost the frame is not
// visible, and the next claim fails with ErrSegmentLost.
func (c *Claim) Commit() {
	w := c.w
	if w.open != openPlain {
		c.commitExtended()
		return
	}
	w.open = openNone
	done := false
	defer w.leave(&done, debug.SetPanicOnFault(true))
	at := w.pos
	end := at + w.like.size
	frame := w.data.commitWord(at)
	storePlain(w.data.commitWord(end), 0)
	frameWords(frame, w.num, w.like.desc)
	w.pos = end
	w.num++
	storeCommit(frame, at|uint64(proto.KindData)) // SYNC: commit
	if int64(end-w.quiet) > 0 || w.fenced.Load() || atomic.LoadUint64(w.parked) != 0 {
		w.advanced(at)
	}
	done = true
}

// advanced does what is left to do after a commit from first up to the writer's
// position: it wakes readers that parked, passes marks and looks ahead.
func (w *Writer) advanced(first uint64) {
	end := w.pos
	if int64(end-w.mark) > 0 {
		w.passMark(first)
	}
	if w.fenced.Load() {
		fence() // SYNC: park
	}
	if atomic.LoadUint64(w.parked) != 0 {
		w.wakeReaders()
	}
	if w.large() && int64(end-w.like.last) > 0 {
		w.ahead(end)
	}
}

// commitExtended is Commit for everything but an inline frame without padding.
func (c *Claim) commitExtended() {
	w := c.w
	if w.open != openClaim {
		return
	}
	w.open = openNone
	done := false
	defer w.leave(&done, debug.SetPanicOnFault(true))
	storePlain(w.seg.commitWord(c.at+c.size), 0)
	c.encode()
	w.publish(c.at, c.kind, c.at+c.size, 1)
	done = true
}

// encode writes the header, all but the commit word.
func (c *Claim) encode() {
	w := c.w
	if c.inline {
		frameWords(w.seg.commitWord(c.at), w.num, c.desc)
		return
	}
	c.head.Number = w.num
	c.head.Encode(w.seg.at(c.at))
}

// publish stores the commit words of a first frame at position at and of the
// padding before it, and moves on to end. Everything behind the first frame, up to
// the zeroed word at end, is in place already.
func (w *Writer) publish(at uint64, kind proto.Kind, end, frames uint64) {
	first := w.pos
	storeRelease(w.seg.commitWord(at), at|uint64(kind))
	if at != first {
		pad := w.seg.commitWord(first)
		frameWords(pad, w.num, proto.Describe(at-first-proto.BaseBytes, 0, 1, 0))
		storeRelease(pad, first|uint64(proto.KindPadding)) // SYNC: commit
	}
	w.pos = end
	w.num += frames
	w.advanced(first)
	w.setRoom()
}

// Abort gives the space back. Nothing of it ever becomes visible. Abort of a claim
// that is over does nothing.
func (c *Claim) Abort() {
	c.w.abort(openPlain)
	c.w.abort(openClaim)
}

// opening is what is claimed and neither committed nor aborted yet. Each sort of
// claim closes its own only: the others may have been opened since.
type opening uint8

const (
	openNone  opening = iota
	openPlain         // a Claim of an inline data frame at the writer's position
	openClaim         // any other
	openGroup
	openBatch
)

func (w *Writer) abort(what opening) {
	if w.open == what {
		w.open = openNone
	}
}
