//go:build linux

package role

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/page"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// patience is how long a reader waits for a writer to come back: longer than any run.
const patience = time.Hour

// most is how many frames a reader takes under one lease.
const most = 64

// reader is one life of a reader, lossless or not.
type reader struct {
	part  *Part
	page  *page.Page
	table *crc32.Table

	results *results // if what a stage wrote is read

	log    page.Entry
	open   bool   // log is a run that goes on
	next   uint64 // number that continues the run
	author uint64
}

func (r *reader) tell(kind history.Kind, a, b, c uint64) {
	r.page.Write(history.Event{Kind: kind, Life: r.part.Life, A: a, B: b, C: c})
	r.open = false
}

// verify checks a frame and tells the log. valid says whether what was read of the
// frame was intact; a frame that was not is no fault and not counted.
func (r *reader) verify(payload []byte, number, position uint64, valid func() bool) {
	got, author, whole := parse(payload, r.table)
	switch {
	case whole && got == number:
		r.verified(number, author)
	case valid():
		r.tell(history.Torn, number, position, got)
	}
}

// verified extends the run or begins another.
func (r *reader) verified(number, author uint64) {
	if r.open && number == r.next && author == r.author {
		r.log.SetB(number + 1)
	} else {
		r.log = r.page.Write(history.Event{Kind: history.Read, Life: r.part.Life, A: number, B: number + 1, C: number, D: author})
		r.open, r.author = true, author
	}
	r.next = number + 1
	r.page.Count(1)
}

// released tells that all up to the last frame verified is released.
func (r *reader) released() {
	if r.open {
		r.log.SetC(r.next)
	}
}

// read reads to the end of the ring.
func read(ctx context.Context, pg *page.Page, p *Part) error {
	pg.Enter(page.Attaching)
	in, err := dial(ctx, p)
	if err != nil {
		return err
	}
	r := &reader{part: p, page: pg, table: castagnoli()}
	if p.Results {
		r.results = &results{reader: r}
	}
	r.tell(history.Attached, in.Welcome().Start, in.Epoch(), 0)
	for err == nil {
		err = r.lease(ctx, in)
	}
	var refused *ipc.RefusedError
	switch {
	case errors.Is(err, io.EOF):
		r.tell(history.Ended, r.next, 0, 0)
	case errors.Is(err, ipc.ErrEvicted):
		r.tell(history.Evicted, 0, 0, 0)
	case errors.As(err, &refused):
		r.tell(history.Refused, uint64(refused.Code), 0, 0)
	default:
		return fmt.Errorf("at frame %d: %w", r.next, err)
	}
	if n := in.Rescues(); n > 0 {
		r.tell(history.Rescued, n, 0, 0)
	}
	pg.Enter(page.Closing)
	return in.Close()
}

// dial attaches. A named reader that comes back at once may find its former life not
// yet buried.
func dial(ctx context.Context, p *Part) (*ipc.Reader, error) {
	cfg := ipc.ReaderConfig{Dir: p.Dir, Name: p.Name, Keep: p.Keep, EvictAfter: p.Evict, RestartWait: patience, Logger: p.logger()}
	if p.Stream {
		cfg.Wake = proto.WakeStream
	}
	for {
		in, err := ipc.Dial(ctx, p.Ring, cfg)
		var refused *ipc.RefusedError
		if !errors.As(err, &refused) || refused.Code != proto.CodeNameInUse {
			return in, err
		}
		time.Sleep(time.Millisecond)
	}
}

// lease takes, checks and releases the next frame, or some.
func (r *reader) lease(ctx context.Context, in *ipc.Reader) error {
	r.page.Enter(page.Waiting)
	if err := r.take(ctx, in); err != nil {
		return err
	}
	r.page.Enter(page.Verified)
	if r.part.Pause > 0 {
		time.Sleep(r.part.Pause)
	}
	r.page.Enter(page.Releasing)
	if err := in.Release(); err != nil {
		return err
	}
	r.page.Enter(page.Released)
	r.released()
	return nil
}

func (r *reader) take(ctx context.Context, in *ipc.Reader) error {
	if !r.part.Batches {
		f, err := in.Next(ctx)
		switch {
		case err != nil:
		case r.results != nil:
			r.page.Enter(page.Held)
			r.results.verify(f)
		default:
			r.page.Enter(page.Held)
			r.verify(f.Payload(), f.Number(), f.Position(), f.Valid)
		}
		return err
	}
	b, err := in.NextBatch(ctx, most)
	if err != nil {
		return err
	}
	r.page.Enter(page.Held)
	f := in.Frame()
	for i := range b.Len() {
		r.verify(b.Payload(i), b.Number(i), f.Position(), f.Valid)
	}
	return nil
}

// observe looks at frames to the end of the ring.
func observe(ctx context.Context, pg *page.Page, p *Part) error {
	pg.Enter(page.Attaching)
	in, err := ipc.Observe(ctx, p.Ring, ipc.ObserverConfig{Dir: p.Dir, RestartWait: patience, Logger: p.logger()})
	if err != nil {
		return err
	}
	r := &reader{part: p, page: pg, table: castagnoli()}
	r.tell(history.Attached, in.Position(), 0, 0)
	for {
		pg.Enter(page.Waiting)
		var f *ring.Frame
		if f, err = in.Next(ctx); err != nil {
			break
		}
		pg.Enter(page.Held)
		if n := f.Lost(); n > 0 {
			r.tell(history.Lapped, n, in.Laps(), 0)
		}
		r.verify(f.Payload(), f.Number(), f.Position(), always)
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("at frame %d: %w", r.next, err)
	}
	r.tell(history.Ended, r.next, 0, 0)
	pg.Enter(page.Closing)
	return in.Close()
}

// always is for copies, which are proven intact already.
func always() bool { return true }
