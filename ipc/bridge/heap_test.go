package bridge_test

import (
	"context"
	"testing"
	"unsafe"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// bell is the control plane of rings within one process: a channel.
type bell chan struct{}

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

// heapRing is a ring over the heap.
type heapRing struct {
	seg   *ring.Segment
	table *ring.Table
	w     *ring.Writer
	bell  bell
	slot  int // of the reader attached last
}

func newRing(t testing.TB, name string, capacity uint64, set ...func(*proto.Identity)) *heapRing {
	t.Helper()
	id := proto.NewIdentity(name, capacity)
	copy(id.RingID[:], name+"-0123456789abcdef")
	for _, f := range set {
		f(&id)
	}
	r := &heapRing{bell: make(bell, 1)}
	var err error
	if r.seg, err = ring.Format(aligned(id.SegmentBytes()), id); err != nil {
		t.Fatal(err)
	}
	if r.table, err = ring.FormatTable(aligned(proto.TableBytes(id.Slots)), &id, 1); err != nil {
		t.Fatal(err)
	}
	if r.w, err = ring.NewWriter(r.seg, r.table, ring.WriterConfig{Sleeper: r.bell}); err != nil {
		t.Fatal(err)
	}
	return r
}

// heapReader is what a bridge and a stage ask of a source.
type heapReader struct {
	*ring.Reader
	seg *ring.Segment
}

// heapWriter is what a bridge asks of a sink.
type heapWriter struct {
	*ring.Writer
	seg *ring.Segment
}

func (w heapWriter) Identity() *proto.Identity { return w.seg.Identity() }

func (r *heapRing) writer() heapWriter { return heapWriter{r.w, r.seg} }

func (r heapReader) Identity() *proto.Identity { return r.seg.Identity() }

func (r *heapRing) attach(t testing.TB) heapReader {
	t.Helper()
	return r.attachAt(t, ring.Attach{Start: proto.StartOldest})
}

func (r *heapRing) attachAt(t testing.TB, a ring.Attach) heapReader {
	t.Helper()
	b := make(bell, 1)
	a.Bell = b
	got, err := r.w.Attach(a)
	if err != nil {
		t.Fatal(err)
	}
	r.slot = got.Slot
	rd, err := ring.NewReader(r.seg, ring.ReaderConfig{
		Table: r.table, Slot: got.Slot, Generation: got.Generation, Position: got.Start,
		Sleeper: b, WriterBell: r.bell,
	})
	if err != nil {
		t.Fatal(err)
	}
	return heapReader{rd, r.seg}
}
