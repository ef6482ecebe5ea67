package ring_test

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// bell is the control plane of tests within one process: a channel.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

func (b bell) Sleep(ctx context.Context) error {
	select {
	case <-b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func aligned(n uint64) []byte {
	b := make([]byte, n+proto.LineBytes)
	off := uint64(-uintptr(unsafe.Pointer(&b[0])) % proto.LineBytes)
	return b[off : off+n : off+n]
}

// pair is a writer and one reader over a heap ring.
type pair struct {
	seg   *ring.Segment
	table *ring.Table
	w     *ring.Writer
	r     *ring.Reader
	wb    bell
}

func newPair(t testing.TB, capacity uint64, spin time.Duration) *pair {
	t.Helper()
	p := newRing(t, proto.NewIdentity("x", capacity), ring.WriterConfig{Spin: spin})
	p.r = p.attach(t, spin)
	return p
}

func newRing(t testing.TB, id proto.Identity, cfg ring.WriterConfig) *pair {
	t.Helper()
	p := &pair{wb: newBell()}
	var err error
	if p.seg, err = ring.Format(aligned(id.SegmentBytes()), id); err != nil {
		t.Fatal(err)
	}
	if p.table, err = ring.FormatTable(aligned(proto.TableBytes(id.Slots)), &id, 1); err != nil {
		t.Fatal(err)
	}
	cfg.Sleeper = p.wb
	if p.w, err = ring.NewWriter(p.seg, p.table, cfg); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) attach(t testing.TB, spin time.Duration) *ring.Reader {
	t.Helper()
	rb := newBell()
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Bell: rb})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ring.NewReader(p.seg, ring.ReaderConfig{
		Table: p.table, Slot: got.Slot, Generation: got.Generation, Position: got.Start,
		Sleeper: rb, WriterBell: p.wb, Spin: spin,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
