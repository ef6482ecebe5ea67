//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/ring"
)

// Writer is the writer of a ring that readers can dial. Claims, commits, Publish
// and Close are for one goroutine at a time; the other methods are safe for
// concurrent use.
type Writer struct {
	name       string
	dir        *directory
	lock       *writerLock
	store      *store
	ring       *ring.Writer
	parker     *parker
	server     *server
	served     chan struct{} // closed when the server has ended
	asymmetric bool
	journal    Journal
	log        *slog.Logger

	mu   sync.RWMutex // guards the memory against Close
	over bool         // closed
}

// Claim reserves room for a frame of the given type and shape, and waits for it if
// readers are behind. Write to the claim's payload, then Commit or Abort it. Errors
// are those of ring.Writer.Claim, and os.ErrClosed.
func (w *Writer) Claim(ctx context.Context, dt proto.DType, shape ...int) (*ring.Claim, error) {
	if w.over {
		return nil, w.errClosed()
	}
	return w.ring.Claim(ctx, dt, shape...)
}

// ClaimFrame is Claim with stream, source, time, strides or another kind.
func (w *Writer) ClaimFrame(ctx context.Context, h *proto.Header) (*ring.Claim, error) {
	if w.over {
		return nil, w.errClosed()
	}
	return w.ring.ClaimFrame(ctx, h)
}

// ClaimGroup is ClaimFrame for several frames that appear together.
func (w *Writer) ClaimGroup(ctx context.Context, hs []proto.Header) (*ring.Group, error) {
	if w.over {
		return nil, w.errClosed()
	}
	return w.ring.ClaimGroup(ctx, hs)
}

// Publish claims a frame of a's type and shape, copies a into it and commits.
func (w *Writer) Publish(ctx context.Context, a nd.Array) error {
	var shape [proto.MaxDims]int
	c, err := w.Claim(ctx, a.DType(), a.AppendShape(shape[:0])...)
	if err != nil {
		return err
	}
	err = Guard(func() error { _, err := a.Copy(c.Payload()); return err }, w)
	if err != nil {
		c.Abort()
		return fmt.Errorf("publish: %w", err)
	}
	c.Commit()
	return nil
}

func (w *Writer) errClosed() error { return fmt.Errorf("ring %q: %w", w.name, os.ErrClosed) }

// Name is the ring's name.
func (w *Writer) Name() string { return w.name }

// Dir is the directory of the ring's files.
func (w *Writer) Dir() string { return w.dir.path }

// Identity describes the ring. The result is shared and must not be changed.
func (w *Writer) Identity() *proto.Identity { return w.ring.Segment().Identity() }

// Position is the end of what is committed, as ring.Writer.Position tells it.
func (w *Writer) Position() uint64 { return w.ring.Position() }

// Epoch counts the lives of this ring's writers, from 1.
func (w *Writer) Epoch() uint64 { return w.ring.Epoch() }

// State is a snapshot of the ring's counters; the zero value after Close, and when
// the ring's memory is lost.
func (w *Writer) State() (state ring.State) {
	if w.look(func() { state = w.store.segment.State() }) != nil {
		return ring.State{}
	}
	return state
}

// Readers describes the occupied reader slots; none after Close, and when the ring's
// memory is lost.
func (w *Writer) Readers() (all []ReaderInfo) {
	if w.look(func() { all = readersOf(w.store.table, w.ring.Position()) }) != nil {
		return nil
	}
	return all
}

// Blocked says for whom the writer waits, if it waits at all.
func (w *Writer) Blocked() (b Blocked, blocked bool) {
	if w.look(func() { b, blocked = blockedOf(w.store.segment.State(), w.store.table) }) != nil {
		return Blocked{}, false
	}
	return b, blocked
}

// look runs f, which reads the ring's memory, unless that is unmapped.
func (w *Writer) look(f func()) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.over {
		return w.errClosed()
	}
	return Guard(func() error { f(); return nil }, w)
}

// Holds reports whether address lies in the ring's memory; see Guard.
func (w *Writer) Holds(address uintptr) bool { return w.store.Holds(address) }

// Abandon makes every claim from now on fail with err, and one that waits, and lets
// Close not end the ring as if all were well. Guard calls it when the ring's memory
// is lost under a view. The first error counts; it is safe for concurrent use.
func (w *Writer) Abandon(err error) {
	if w.ring != nil {
		w.ring.Abandon(err)
	}
}

func (w *Writer) closed() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.over
}

// onEvict passes an eviction decided at the gate on to the control plane.
func (w *Writer) onEvict(slot int, generation uint32, code proto.Code) {
	w.server.loop.post(func() { w.server.evict(slot, generation, code) })
}

// Close ends the ring: readers see its end after the last committed frame. It
// waits until every lossless reader has got there, and for a first one if none
// ever came and the ring does not run free, and for the goodbye of those that asked to
// be kept (ReaderConfig.Keep), no longer than so long; then it removes the ring's files.
//
// When ctx ends first, the files are removed all the same, and the error wraps
// that of ctx: readers that are attached still get every frame, others find the
// ring gone. A ring whose memory was lost does not end: the error wraps
// ErrSegmentLost, its readers get that or ErrWriterLost, and its files are removed.
// Claims must not be used after Close. Close is idempotent.
func (w *Writer) Close(ctx context.Context) error {
	if w.over {
		return nil
	}
	w.ring.Finish()
	if err := w.ring.Err(); err != nil {
		return errors.Join(fmt.Errorf("close ring %q: %w", w.name, err), w.tearDown(true))
	}
	final := w.ring.Position()
	w.server.loop.post(func() { w.server.finish(final) })
	w.sayWhom(final)
	err := w.ring.Drain(ctx)
	if err == nil {
		err = w.farewell(ctx)
	}
	if err != nil {
		err = fmt.Errorf("close ring %q before its readers were done: %w", w.name, err)
	}
	return errors.Join(err, w.tearDown(true))
}

// Leave gives the ring up without ending it, as a death would: its files stay, its
// readers wait for another writer. Claims must not be used after Leave.
func (w *Writer) Leave() error {
	if w.over {
		return nil
	}
	return w.tearDown(false)
}

// sayWhom logs whom Close waits for.
func (w *Writer) sayWhom(final uint64) {
	if state := w.State(); state.Flags&(proto.WriterSawReader|proto.WriterFreeRun) == 0 && final != w.Identity().Start {
		w.log.Info("waiting for a first reader", "ring", w.name)
	}
	for _, r := range w.Readers() {
		if r.Gating() && r.Cursor != final {
			w.log.Info("waiting for reader", "ring", w.name, "reader", r.Name, "pid", r.PID, "behind_bytes", final-r.Cursor)
		}
	}
}

// tearDown stops the server and gives everything back. A ring that was not ended
// keeps its files, so that it can be continued.
func (w *Writer) tearDown(ended bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	var err error
	if ended {
		err = removeRing(w.dir, w.name)
	}
	if w.server != nil {
		w.server.loop.post(func() { w.server.stopped = true })
		<-w.served
	}
	if w.parker != nil {
		w.parker.close()
	}
	if w.store != nil {
		w.store.close()
	}
	w.journal.close()
	err = errors.Join(err, w.lock.release())
	w.dir.close()
	return err
}

// ReaderInfo describes a reader of a ring.
type ReaderInfo struct {
	ring.SlotView
	Slot     int
	LagBytes uint64 // from its cursor to the end of what is committed
}

// Gating reports whether the writer waits for this reader.
func (r ReaderInfo) Gating() bool {
	return r.State == proto.SlotActive || r.State == proto.SlotLost
}

func readersOf(t *ring.Table, tail uint64) []ReaderInfo {
	var all []ReaderInfo
	for i := range t.Slots() {
		v := t.Slot(i)
		if v.State == proto.SlotFree {
			continue
		}
		r := ReaderInfo{SlotView: v, Slot: i}
		if int64(tail-v.Cursor) > 0 {
			r.LagBytes = tail - v.Cursor
		}
		all = append(all, r)
	}
	return all
}

// Blocked says that a writer waits, and for whom.
type Blocked struct {
	Since       time.Time
	FirstReader bool       // no reader has come yet
	Reader      ReaderInfo // the slowest, unless FirstReader
}

func blockedOf(state ring.State, t *ring.Table) (Blocked, bool) {
	if state.BlockedSinceNs == 0 {
		return Blocked{}, false
	}
	b := Blocked{Since: time.Unix(0, int64(state.BlockedSinceNs))}
	slot := int(state.BlockedBy) - 1
	if slot < 0 || slot >= t.Slots() {
		b.FirstReader = slot < 0
		return b, true
	}
	b.Reader = ReaderInfo{SlotView: t.Slot(slot), Slot: slot}
	if lag := state.Tail - b.Reader.Cursor; int64(lag) > 0 {
		b.Reader.LagBytes = lag
	}
	return b, true
}
