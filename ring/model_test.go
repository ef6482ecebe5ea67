package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// model is the ring as a list: frames with their sizes and stamps, a cursor for each
// reader, and no memory to run out of. It goes on when the ring's writer dies.
type model struct {
	p       *pair
	frames  []modelFrame
	readers []*modelReader
	ended   bool
}

type modelFrame struct {
	bytes int
	seed  uint64
}

type modelReader struct {
	next int // index of the frame it reads next
	r    *ring.Reader
	at   ring.Attached
}

// op is one step of a random history; what it does follows from its numbers and the
// state it meets, so that any part of a history is one too.
type op struct{ what, a, b uint32 }

func randomOps(seed uint64, n int) []op {
	rnd := rand.New(rand.NewPCG(seed, 1))
	ops := make([]op, n)
	for i := range ops {
		ops[i] = op{rnd.Uint32(), rnd.Uint32(), rnd.Uint32()}
	}
	return ops
}

// modelStarts are first positions of rings: where 64-bit numbers change sign or wrap,
// and at every distance of a line or two from the ring's own wrap.
var modelStarts = [...]uint64{
	0, 64, smallBytes - 64, 1<<63 - 64, 1<<63 - smallBytes/2, 1<<63 - 5*smallBytes,
	1<<64 - 64, 1<<64 - smallBytes + 64, 1<<64 - 7*smallBytes,
}

// replay runs a history on a ring that begins at start and on the model and returns
// the first difference.
func replay(t testing.TB, start uint64, ops []op) error {
	id := proto.NewIdentity("x", smallBytes)
	id.Start = start
	m := &model{p: newRing(t, id, ring.WriterConfig{Sleeper: awake{}})}
	for i, o := range ops {
		if err := m.step(t, o); err != nil {
			return fmt.Errorf("step %d of %d: %w", i, len(ops), err)
		}
	}
	return m.finish()
}

func (m *model) step(t testing.TB, o op) error {
	switch o.what % 20 {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		return m.write(m.p, o)
	case 8:
		return m.attach(m.p, o)
	case 9:
		return m.detach(m.p, o)
	case 10:
		return m.observe(m.p)
	case 11:
		return m.die(t, o)
	default:
		return m.read(o)
	}
}

// observe compares every frame still in the ring.
func (m *model) observe(p *pair) error {
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{Start: proto.StartOldest, Wait: asleep})
	if err != nil {
		return err
	}
	next := -1
	for {
		f, err := o.Next(context.Background())
		if errors.Is(err, errAsleep) {
			break
		}
		if err != nil {
			return fmt.Errorf("observer: %w", err)
		}
		if next < 0 {
			next = int(f.Number())
		}
		if err := m.compare(f, next); err != nil {
			return fmt.Errorf("observer: %w", err)
		}
		next++
	}
	if next >= 0 && next != len(m.frames) {
		return fmt.Errorf("observer ends at frame %d of %d", next, len(m.frames))
	}
	return nil
}

func (m *model) compare(f *ring.Frame, i int) error {
	if i >= len(m.frames) || f.Number() != uint64(i) {
		return fmt.Errorf("frame %d of %d: got number %d", i, len(m.frames), f.Number())
	}
	if want := m.frames[i]; len(f.Payload()) != want.bytes || !stamped(f.Payload(), want.seed) {
		return fmt.Errorf("frame %d: got %d bytes, want %d, or others", i, len(f.Payload()), want.bytes)
	}
	return nil
}

// die kills the writer, half of the time with a claim it has written to, and has the
// readers return to its successor.
func (m *model) die(t testing.TB, o op) error {
	if o.a%2 == 0 {
		if _, _, payloads, err := m.claim(m.p, o.b%3, int(o.a>>8)%2000, 1+int(o.b>>8)%4); err == nil {
			for _, b := range payloads {
				poison(m.p, b)
			}
		}
	}
	q, err := m.p.revive(t, true)
	if err != nil {
		return err
	}
	m.p = q
	for _, r := range m.readers {
		position := r.r.Position()
		if r.at, err = q.w.Reattach(r.at.Slot, r.at.Generation, position, ring.Attach{}); err != nil {
			return fmt.Errorf("reader at frame %d: %w", r.next, err)
		}
		if r.r, err = m.reader(r.at); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) reader(at ring.Attached) (*ring.Reader, error) {
	return ring.NewReader(m.p.seg, ring.ReaderConfig{
		Table: m.p.table, Slot: at.Slot, Generation: at.Generation, Position: at.Start, Sleeper: awake{}, WriterBell: awake{},
	})
}

func (m *model) write(p *pair, o op) error {
	size := int(o.a) % []int{50, 1000, smallBytes/4 + 1}[o.a%3]
	commit, abort, payloads, err := m.claim(p, o.b%3, size, 1+int(o.b>>8)%4)
	if errors.Is(err, errAsleep) {
		return m.full(p, size)
	}
	if err != nil {
		return err
	}
	for i, b := range payloads {
		stamp(b, uint64(len(m.frames)+i))
	}
	if o.b>>16%8 == 0 {
		abort()
		return nil
	}
	commit()
	for _, b := range payloads {
		m.frames = append(m.frames, modelFrame{len(b), uint64(len(m.frames))})
	}
	return nil
}

func (m *model) claim(p *pair, sort uint32, size, count int) (commit, abort func(), payloads [][]byte, err error) {
	ctx := context.Background()
	switch sort {
	case 0:
		c, err := p.w.Claim(ctx, proto.U8, size)
		if err != nil {
			return nil, nil, nil, err
		}
		return c.Commit, c.Abort, [][]byte{c.Payload()}, nil
	case 1:
		heads := make([]proto.Header, count)
		for i := range heads {
			heads[i] = proto.Header{DType: proto.U8, NDim: uint8(1 + i%2), Shape: [8]uint64{uint64(size) / 2, 1}}
		}
		g, err := p.w.ClaimGroup(ctx, heads)
		if errors.Is(err, ring.ErrFrameTooLarge) {
			return func() {}, func() {}, nil, nil
		}
		if err != nil {
			return nil, nil, nil, err
		}
		for i := range g.Len() {
			payloads = append(payloads, g.Payload(i))
		}
		return g.Commit, g.Abort, payloads, nil
	}
	b, err := p.w.ClaimBatch(ctx, proto.U8, size, count)
	if err != nil {
		return nil, nil, nil, err
	}
	for i := range b.Len() {
		payloads = append(payloads, b.Payload(i))
	}
	return b.Commit, b.Abort, payloads, nil
}

// full accepts a refusal only if somebody holds the ring, or nobody came yet.
func (m *model) full(p *pair, size int) error {
	if len(m.readers) == 0 && p.seg.State().Flags&proto.WriterSawReader != 0 {
		return fmt.Errorf("claim of %d bytes: full, but nobody reads", size)
	}
	for _, r := range m.readers {
		if r.next < len(m.frames) {
			return nil
		}
	}
	if len(m.readers) > 0 {
		return fmt.Errorf("claim of %d bytes: full, but every reader is done", size)
	}
	return nil
}

func (m *model) attach(p *pair, o op) error {
	if len(m.readers) == 3 {
		return nil
	}
	latest := o.a%2 == 0
	start := map[bool]proto.Start{true: proto.StartLatest, false: proto.StartOldest}[latest]
	firstEver := p.seg.State().Flags&proto.WriterSawReader == 0
	got, err := p.w.Attach(ring.Attach{Start: start})
	if err != nil {
		return err
	}
	r, err := m.reader(got)
	if err != nil {
		return err
	}
	first := len(m.frames)
	if !latest {
		first -= p.frames(got.Start)
	}
	if !latest && firstEver && first != 0 {
		return fmt.Errorf("the first reader starts at frame %d", first)
	}
	m.readers = append(m.readers, &modelReader{next: first, r: r, at: got})
	return nil
}

func (m *model) detach(p *pair, o op) error {
	if len(m.readers) == 0 {
		return nil
	}
	i := int(o.a) % len(m.readers)
	p.w.Detach(m.readers[i].at.Slot)
	m.readers = append(m.readers[:i], m.readers[i+1:]...)
	return nil
}

func (m *model) read(o op) error {
	if len(m.readers) == 0 {
		return nil
	}
	r := m.readers[int(o.a)%len(m.readers)]
	for range o.b % 8 {
		if err := r.step(m, 1+int(o.b>>8)%5); err != nil {
			return err
		}
	}
	return nil
}

// step reads up to most frames, as a batch if more than one, and compares them, or the
// lack of any.
func (r *modelReader) step(m *model, most int) error {
	b, err := r.r.NextBatch(context.Background(), most)
	if r.next == len(m.frames) {
		if m.ended && err != io.EOF || !m.ended && !errors.Is(err, errAsleep) {
			return fmt.Errorf("after frame %d: %w", r.next, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("frame %d: %w", r.next, err)
	}
	if err := m.compare(r.r.Frame(), r.next); err != nil {
		return err
	}
	for i := range b.Len() {
		if at := r.next + i; at >= len(m.frames) || b.Number(i) != uint64(at) || !stamped(b.Payload(i), m.frames[at].seed) {
			return fmt.Errorf("frame %d of %d, place %d in a batch of %d: got number %d", at, len(m.frames), i, b.Len(), b.Number(i))
		}
	}
	r.next += b.Len()
	return r.r.Release()
}

// finish ends the ring and reads out every reader.
func (m *model) finish() error {
	if n := m.p.seg.State().Number; n > uint64(len(m.frames)) {
		return fmt.Errorf("number %d after %d frames", n, len(m.frames))
	}
	m.p.w.Finish()
	m.ended = true
	for _, r := range m.readers {
		for left := len(m.frames) - r.next; left >= 0; left-- {
			if err := r.step(m, 1); err != nil {
				return fmt.Errorf("at the end: %w", err)
			}
		}
	}
	if len(m.readers) == 0 && m.p.seg.State().Flags&proto.WriterSawReader == 0 {
		return nil // nobody came: it would wait
	}
	return m.p.w.Drain(context.Background())
}

// shrink removes parts of a history that fails while the rest still does, halves first.
func shrink(t testing.TB, start uint64, ops []op, err error) ([]op, error) {
	for shrunk := true; shrunk; {
		shrunk = false
		for size := len(ops) / 2; size > 0 && !shrunk; size /= 2 {
			for from := 0; from+size <= len(ops) && !shrunk; from += size {
				part := append(append([]op{}, ops[:from]...), ops[from+size:]...)
				if e := replay(t, start, part); e != nil {
					ops, err, shrunk = part, e, true
				}
			}
		}
	}
	return ops, err
}

// Check that random histories of claims, groups, batches, aborts, attaches, detaches,
// reads and deaths leave ring and model alike, wherever positions begin. Long form: the
// number of histories in NDRING_HISTORIES.
func TestAgainstModel(t *testing.T) {
	histories, base := soak(t, "NDRING_HISTORIES", 60), rand.Uint64()
	for i := range histories {
		start := modelStarts[i%uint64(len(modelStarts))]
		ops := randomOps(base+i, 1200)
		if err := replay(t, start, ops); err != nil {
			ops, err = shrink(t, start, ops, err)
			t.Fatalf("seed %d, start %#x: %v\nhistory: %+v", base+i, start, err, ops)
		}
	}
	t.Logf("%d histories of 1200 steps alike", histories)
}

// soak is how many rounds a test makes that has a long form: usual, unless the variable
// says otherwise.
func soak(t testing.TB, variable string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseFloat(text, 64) // 1e9 is a count, too
	if err != nil || n < 1 || n > 1<<53 {
		t.Fatalf("%s is %q, want a count such as 1e9", variable, text)
	}
	return uint64(n)
}
