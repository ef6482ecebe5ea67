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
	at      uint64 // where the frame starts
	size    uint64
	desc    uint64 // inline frames
	payload []byte
	head    proto.Header // extended frames
	kind    proto.Kind
	plain   bool // inline, no padding before it
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
	end := at + w.like.size
	if w.open != openNone || dt != w.like.dtype || len(shape) != 1 || shape[0] != w.like.items || int64(end-w.room) > 0 {
		return w.claimShape(ctx, dt, shape)
	}
	c := &w.claim
	c.at, c.size, c.desc, c.plain = at, w.like.size, w.like.desc, true
	prefetchWrite(w.seg.commitWord(at), 2) // this line and the word behind it
	c.payload = w.seg.data.slice(at&w.seg.mask+proto.BaseBytes, w.like.bytes)
	w.open = openClaim
	return c, nil
}

// likeness is what was checked of the inline data frame claimed last, so that the
// next claim for the same array needs no check but that of room.
type likeness struct {
	dtype proto.DType
	items int
	bytes uint64
	size  uint64 // noSize = none yet
	desc  uint64
}

func (w *Writer) remember(h *proto.Header, size uint64) {
	w.like = likeness{
		dtype: h.DType, items: int(h.Shape[0]), bytes: h.PayloadLen, size: size,
		desc: proto.Describe(h.PayloadLen, h.DType, h.NDim, 0),
	}
}

// claimShape is Claim for everything but an array like the one before that fits at
// once.
func (w *Writer) claimShape(ctx context.Context, dt proto.DType, shape []int) (*Claim, error) {
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
		return nil, fmt.Errorf("claim: %w", ErrClaimOpen)
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
	c.at, c.kind = at, c.head.Kind
	inline := !c.head.Extended() && c.kind == proto.KindData
	if inline {
		w.remember(&c.head, c.size)
	}
	c.plain = inline && at == w.pos
	c.desc = proto.Describe(c.head.PayloadLen, c.head.DType, c.head.NDim, 0)
	c.payload = w.seg.data.slice(at&w.seg.mask+c.head.HeadBytes(), c.head.PayloadLen)
	w.open = openClaim
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
	if w.finished {
		return 0, fmt.Errorf("claim: %w", ErrFinished)
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
	if c.plain {
		return inlineArray(c.desc, c.payload)
	}
	return headerArray(&c.head, c.payload)
}

// Commit makes the frame visible to readers, whole. The claim is over. Commit of a
// claim that is over does nothing. If the ring's memory is lost the frame is not
// visible, and the next claim fails with ErrSegmentLost.
func (c *Claim) Commit() {
	w := c.w
	if w.open != openClaim {
		return
	}
	w.open = openNone
	done := false
	defer w.leave(&done, debug.SetPanicOnFault(true))
	if !c.plain {
		c.commitExtended()
		done = true
		return
	}
	at, end := c.at, c.at+c.size
	frame := w.seg.commitWord(at)
	storePlain(w.seg.commitWord(end), 0)
	frameWords(frame, w.num, c.desc)
	storeCommit(frame, at|uint64(proto.KindData)) // SYNC: commit
	w.advance(at, end, 1)
	done = true
}

// advance moves the writer past what it committed, [first, end), and wakes readers
// that parked. It is small enough to stand in every kind of commit.
func (w *Writer) advance(first, end, frames uint64) {
	w.pos = end
	w.num += frames
	if int64(end-w.mark) > 0 {
		w.passMark(first)
	}
	if w.fenced.Load() {
		fence() // SYNC: park
	}
	if atomic.LoadUint64(w.parked) != 0 {
		w.wakeReaders()
	}
	if int64(end+w.like.size-w.room) > 0 {
		w.ahead(end)
	}
}

func (c *Claim) commitExtended() {
	w := c.w
	storePlain(w.seg.commitWord(c.at+c.size), 0)
	c.head.Number = w.num
	c.head.Encode(w.seg.at(c.at))
	w.publish(c.at, c.kind, c.at+c.size, 1)
}

// publish stores the commit words of a first frame at position at and of the
// padding before it, and moves on to end. Everything behind the first frame, up to
// the zeroed word at end, is in place already.
func (w *Writer) publish(at uint64, kind proto.Kind, end, frames uint64) {
	first := w.pos
	storeRelease(w.seg.commitWord(at), at|uint64(kind))
	if at != first {
		pad := proto.Header{Number: w.num, NDim: 1, PayloadLen: at - first - proto.BaseBytes}
		pad.Encode(w.seg.at(first))
		storeRelease(w.seg.commitWord(first), first|uint64(proto.KindPadding)) // SYNC: commit
	}
	w.advance(first, end, frames)
	w.setRoom()
}

// Abort gives the space back. Nothing of it ever becomes visible. Abort of a claim
// that is over does nothing.
func (c *Claim) Abort() { c.w.abort(openClaim) }

// opening is what is claimed and neither committed nor aborted yet. Each sort of
// claim closes its own only: the others may have been opened since.
type opening uint8

const (
	openNone opening = iota
	openClaim
	openGroup
	openBatch
)

func (w *Writer) abort(what opening) {
	if w.open == what {
		w.open = openNone
	}
}
