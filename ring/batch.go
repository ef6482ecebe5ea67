package ring

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// WriteBatch is space for several one-dimensional frames alike, committed with one
// store: for small frames the checks of a claim and a commit cost more than the
// frame. It belongs to its Writer, is valid until Commit or Abort, and is reused.
type WriteBatch struct {
	w     *Writer
	count int
	plain bool // inline frames without padding before them
	row   row
}

const outOfBatch = "ring: index out of the batch"

// ClaimBatch claims up to count frames of items elements each, as many as lie
// before the wrap and below the limit already proven, at least one. Frames of a
// batch are ordinary frames: readers need not know of it, and see all or none when
// the writer dies. Errors as for Claim.
func (w *Writer) ClaimBatch(ctx context.Context, dt proto.DType, items, count int) (*WriteBatch, error) {
	if count < 1 {
		return nil, fmt.Errorf("claim batch: count %d: %w", count, proto.ErrShape)
	}
	c, err := w.Claim(ctx, dt, items)
	if err != nil {
		return nil, err
	}
	b := &w.batch
	b.plain, b.count = w.open == openPlain, 1
	b.row = rowOf(c.payload, w.like.size)
	w.open = openBatch
	if !b.plain {
		return b, nil
	}
	if room, size := w.room-w.pos, w.like.size; room > size {
		b.count = int(min(uint64(count), room/size))
	}
	prefetchWrite(w.data.commitWord(w.pos), b.count*int(w.like.size/proto.LineBytes))
	return b, nil
}

// Len is the number of frames.
func (b *WriteBatch) Len() int { return b.count }

// Payload is the space of frame i, 0 <= i < Len(); another i panics.
func (b *WriteBatch) Payload(i int) []byte {
	if uint(i) >= uint(b.count) {
		panic(outOfBatch)
	}
	return b.row.payload(i)
}

// Float64s is the space of frame i as float64; the batch must be of that dtype.
func (b *WriteBatch) Float64s(i int) []float64 {
	if uint(i) >= uint(b.count) {
		panic(outOfBatch)
	}
	return b.row.float64s(i)
}

// Commit makes the frames visible at once. Commit of a batch that is over does
// nothing. Lost memory is told as by Claim.Commit.
func (b *WriteBatch) Commit() {
	w := b.w
	if w.open != openBatch {
		return
	}
	if !b.plain {
		w.open = openClaim
		w.claim.Commit()
		return
	}
	w.open = openNone
	done := false
	defer w.leave(&done, debug.SetPanicOnFault(true))
	at, size, desc := w.pos, w.like.size, w.like.desc
	end := at + uint64(b.count)*size
	storePlain(w.data.commitWord(end), 0)
	for i := b.count - 1; i > 0; i-- {
		inner := at + uint64(i)*size
		word := w.data.commitWord(inner)
		frameWords(word, w.num+uint64(i), desc)
		storePlain(word, inner|uint64(proto.KindData))
	}
	first := w.data.commitWord(at)
	frameWords(first, w.num, desc)
	w.pos = end
	w.num += uint64(b.count)
	storeRelease(first, at|uint64(proto.KindData)) // SYNC: commit
	w.advanced(at)
	done = true
}

// Abort gives the space back. Nothing of it ever becomes visible. Abort of a batch
// that is over does nothing.
func (b *WriteBatch) Abort() { b.w.abort(openBatch) }

// ReadBatch is a run of frames alike, under one lease. It belongs to its Reader,
// is valid until the next call of Next or NextBatch, or Release, and is reused.
type ReadBatch struct {
	seg   *Segment
	at    uint64
	count int
	first uint64
	size  uint64
	desc  uint64
	row   row
}

// NextBatch returns the next frame and up to most-1 that follow it, if they are
// committed already, lie before the wrap, and are one-dimensional data frames
// described alike; otherwise just the one. It waits for no more than the first, but
// for a fraction of a microsecond when only few follow and the reader spins. Frames
// that are not inline come as a batch of one; Frame gives their header.
// Errors as for Next. Release gives all of them back.
func (r *Reader) NextBatch(ctx context.Context, most int) (*ReadBatch, error) {
	f, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	b := &r.batch
	b.begin(r.seg, f)
	if f.desc == r.desc && f.kind == proto.KindData {
		count := min(r.seg.toWrap(b.at)/b.size, uint64(max(1, most)))
		b.extend(count)
		if uint64(b.count) < count/2 && r.spin.most > 0 {
			pause(pauseBlock) // let the writer get ahead: lines it has left cost less
			b.extend(count)
		}
	}
	r.next = b.end()
	return b, nil
}

// NextBatch is Reader.NextBatch, within what is announced.
func (r *StreamReader) NextBatch(ctx context.Context, most int) (*ReadBatch, error) {
	f, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	b := &r.batch
	b.begin(r.seg, f)
	if !f.extended && f.kind == proto.KindData {
		b.extend(min(r.seg.toWrap(b.at)/b.size, (r.known-b.at)/b.size, uint64(max(1, most))))
	}
	r.next = b.end()
	return b, nil
}

// begin makes b the batch of the frame f alone.
func (b *ReadBatch) begin(s *Segment, f *Frame) {
	b.seg, b.at, b.count, b.first = s, f.position, 1, f.number
	b.size, b.desc = f.end-f.position, f.desc
	b.row = rowOf(f.payload, b.size)
}

// extend takes in the frames that follow and are described alike, up to count in
// all. The caller has bounded count by the wrap.
func (b *ReadBatch) extend(count uint64) {
	at := b.end()
	for uint64(b.count) < count {
		word := b.seg.commitWord(at)
		if atomic.LoadUint64(word) != at|uint64(proto.KindData) { // SYNC: commit
			return
		}
		if _, desc := baseWords(word); desc != b.desc {
			return
		}
		at += b.size
		b.count++
	}
}

func (b *ReadBatch) end() uint64 { return b.at + uint64(b.count)*b.size }

// Frame is the frame that Next returned last, or the first of the last batch.
func (r *StreamReader) Frame() *Frame { return &r.frame }

// Frame is the first frame of the batch NextBatch returned last.
func (r *Reader) Frame() *Frame { return &r.frame }

// Len is the number of frames.
func (b *ReadBatch) Len() int { return b.count }

// Number is the number of frame i.
func (b *ReadBatch) Number(i int) uint64 { return b.first + uint64(i) }

// Payload is the elements' memory of frame i, read-only, 0 <= i < Len(); another i
// panics. What else a frame that is not inline says is in Reader.Frame.
func (b *ReadBatch) Payload(i int) []byte {
	if uint(i) >= uint(b.count) {
		panic(outOfBatch)
	}
	return b.row.payload(i)
}

// Float64s is the payload of frame i of a batch of dtype f64.
func (b *ReadBatch) Float64s(i int) []float64 {
	if uint(i) >= uint(b.count) {
		panic(outOfBatch)
	}
	return b.row.float64s(i)
}
