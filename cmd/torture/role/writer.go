//go:build linux

package role

import (
	"context"
	"hash/crc32"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/page"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// writer is one life of the writer of a ring.
type writer struct {
	*ipc.Writer
	part   *Part
	page   *page.Page
	draw   *draw
	table  *crc32.Table
	log    page.Entry
	logged bool
	number uint64 // of the next frame
	pos    uint64
	heads  []proto.Header
}

// write writes frames until it is told to end, and ends the ring.
func write(ctx context.Context, pg *page.Page, p *Part) error {
	pg.Enter(page.Recovering)
	w, err := ipc.Listen(ctx, p.Ring, ipc.WriterConfig{Dir: p.Dir, Capacity: p.Capacity, Grace: p.Grace, FreeRun: p.FreeRun, Logger: p.logger()})
	if err != nil {
		return err
	}
	r := &writer{
		Writer: w, part: p, page: pg, draw: newDraw(p), table: castagnoli(),
		number: w.State().Number, pos: w.Position(),
	}
	pg.Write(history.Event{Kind: history.Listened, Life: p.Life, A: r.number, B: w.Epoch(), C: r.pos})
	for !pg.Finishing() {
		if err := r.some(ctx); err != nil {
			return err
		}
		if p.Pause > 0 {
			time.Sleep(p.Pause)
		}
	}
	pg.Write(history.Event{Kind: history.Closed, Life: p.Life, A: r.number})
	pg.Enter(page.Closing)
	return w.Close(ctx)
}

// some writes what is drawn next.
func (w *writer) some(ctx context.Context) error {
	switch what := w.draw.next(); what {
	case drawGroup:
		return w.group(ctx, w.draw.groupSizes())
	case drawBatch:
		return w.batch(ctx, w.draw.smallItems(), w.draw.batchCount())
	default:
		return w.single(ctx, w.draw.items(what), what == drawEnd)
	}
}

// padding is what will stand before size bytes claimed now.
func (w *writer) padding(size uint64) uint64 {
	capacity := w.Identity().Capacity
	if left := capacity - w.pos&(capacity-1); size > left {
		return left
	}
	return 0
}

// claiming enters the step before a claim of size bytes and returns what the frames
// are.
func (w *writer) claiming(what page.State, size uint64) (page.State, uint64) {
	pad := w.padding(size)
	if pad > 0 {
		what |= page.Padded
	}
	w.page.Enter(page.Claiming | what)
	return what, pad
}

func (w *writer) claimed(what page.State) {
	w.page.Resume()
	w.page.Enter(page.Claimed | what)
}

// committed runs commit for frames that end at pos plus size.
func (w *writer) committed(what page.State, frames, size uint64, commit func()) {
	w.page.Enter(page.Written | what)
	if !w.logged {
		w.log = w.page.Write(history.Event{Kind: history.Wrote, Life: w.part.Life, A: w.number, B: w.number, C: w.number})
		w.logged = true
	}
	w.log.SetB(w.number + frames)
	w.page.Enter(page.Committing | what)
	commit()
	w.page.Enter(page.Committed | what)
	w.number += frames
	w.pos += size
	w.log.SetC(w.number)
	w.page.Count(frames)
}

func (w *writer) single(ctx context.Context, items int, end bool) error {
	h := proto.Header{DType: proto.F64, NDim: 1, PayloadLen: uint64(8 * items)}
	h.Shape[0] = uint64(items)
	if end {
		h.Kind, h.ExtFlags, h.Stream = proto.KindStreamEnd, proto.ExtStream, w.number
	}
	size := h.FrameBytes()
	what, pad := w.claiming(0, size)
	c, err := w.claim(ctx, &h, items, end)
	if err != nil {
		return err
	}
	w.claimed(what)
	fill(c.Payload(), w.number, w.Epoch(), w.table)
	w.committed(what, 1, pad+size, c.Commit)
	return nil
}

func (w *writer) claim(ctx context.Context, h *proto.Header, items int, end bool) (*ring.Claim, error) {
	if end {
		return w.ClaimFrame(ctx, h)
	}
	return w.Claim(ctx, proto.F64, items)
}

func (w *writer) batch(ctx context.Context, items, count int) error {
	size := proto.FrameBytes(uint64(8 * items))
	what, pad := w.claiming(page.Batched, size)
	b, err := w.ClaimBatch(ctx, proto.F64, items, count)
	if err != nil {
		return err
	}
	w.claimed(what)
	for i := range b.Len() {
		fill(b.Payload(i), w.number+uint64(i), w.Epoch(), w.table)
	}
	w.committed(what, uint64(b.Len()), pad+uint64(b.Len())*size, b.Commit)
	return nil
}

func (w *writer) group(ctx context.Context, sizes []int) error {
	var size uint64
	w.heads = w.heads[:0]
	for i, items := range sizes {
		h := proto.Header{DType: proto.F64, NDim: 1, PayloadLen: uint64(8 * items), ExtFlags: proto.ExtStream, Stream: 1, Sequence: uint32(i)}
		h.Shape[0] = uint64(items)
		size += h.FrameBytes()
		w.heads = append(w.heads, h)
	}
	what, pad := w.claiming(page.Grouped, size)
	g, err := w.ClaimGroup(ctx, w.heads)
	if err != nil {
		return err
	}
	w.claimed(what)
	for i := range g.Len() {
		fill(g.Payload(i), w.number+uint64(i), w.Epoch(), w.table)
	}
	w.committed(what, uint64(g.Len()), pad+size, g.Commit)
	return nil
}
