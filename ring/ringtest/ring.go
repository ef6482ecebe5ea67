package ringtest

import (
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Ring is a ring over the heap and the one writer of it.
type Ring struct {
	*ring.Writer
	Seg   *ring.Segment
	Table *ring.Table
	Bell  Bell // wakes the writer
	Slot  int  // of the reader attached last
}

// New makes a ring of capacity bytes whose id begins with its name. set changes its
// description before that.
func New(t testing.TB, name string, capacity uint64, set ...func(*proto.Identity)) *Ring {
	t.Helper()
	id := proto.NewIdentity(name, capacity)
	copy(id.RingID[:], name+"-0123456789abcdef")
	for _, f := range set {
		f(&id)
	}
	r := &Ring{Bell: NewBell()}
	var err error
	if r.Seg, err = ring.Format(Memory(id.SegmentBytes()), id); err != nil {
		t.Fatal(err)
	}
	r.Succeed(t)
	return r
}

// Succeed puts the next writer in the place of the one before, as after its death, with
// an empty table.
func (r *Ring) Succeed(t testing.TB) {
	t.Helper()
	id := r.Seg.Identity()
	var err error
	if r.Table, err = ring.FormatTable(Memory(proto.TableBytes(id.Slots)), id, r.Seg.State().Epoch+1); err != nil {
		t.Fatal(err)
	}
	if r.Writer, err = ring.NewWriter(r.Seg, r.Table, ring.WriterConfig{Sleeper: r.Bell}); err != nil {
		t.Fatal(err)
	}
}

// Identity describes the ring, as stages and bridges ask of a writer.
func (r *Ring) Identity() *proto.Identity { return r.Seg.Identity() }

// Reader is a reader of a Ring with what stages and bridges ask of a source.
type Reader struct {
	*ring.Reader
	Seg *ring.Segment
}

// Identity describes the ring that is read.
func (r Reader) Identity() *proto.Identity { return r.Seg.Identity() }

// AttachOldest attaches a reader at the oldest frame.
func (r *Ring) AttachOldest(t testing.TB) Reader {
	t.Helper()
	return r.AttachAt(t, ring.Attach{Start: proto.StartOldest})
}

// AttachAt attaches a reader as a says, with a bell of its own.
func (r *Ring) AttachAt(t testing.TB, a ring.Attach) Reader {
	t.Helper()
	bell := NewBell()
	a.Bell = bell
	got, err := r.Attach(a)
	if err != nil {
		t.Fatal(err)
	}
	r.Slot = got.Slot
	rd, err := ring.NewReader(r.Seg, ring.ReaderConfig{
		Table: r.Table, Slot: got.Slot, Generation: got.Generation, Position: got.Start,
		Sleeper: bell, WriterBell: r.Bell,
	})
	if err != nil {
		t.Fatal(err)
	}
	return Reader{rd, r.Seg}
}
