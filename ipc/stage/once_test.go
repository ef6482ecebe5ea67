package stage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

// fate kills a stage at one of its steps: a look at an input, a release, a claim
// before and after it is made, a write to the journal before, within and after it.
type fate struct {
	mu    sync.Mutex
	left  int // steps to live; negative = for ever
	steps int
}

func (f *fate) step() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps++
	if f.left == 0 {
		return errKilled
	}
	f.left--
	return nil
}

// doomed is a source whose stage meets its fate.
type doomed struct {
	ringtest.Reader
	*fate
	gone *bool // the ring, as it is once its last reader said goodbye
}

func (d doomed) Next(ctx context.Context) (*ring.Frame, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	return d.Reader.Next(ctx)
}

func (d doomed) Release() error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Reader.Release()
}

// Close is the goodbye.
func (d doomed) Close() error {
	if err := d.step(); err != nil {
		return err
	}
	*d.gone = true
	return d.step()
}

// diary is a journal in memory.
type diary struct {
	*fate
	text []byte
	size int // the largest it ever was

	fails      error // of one Append, if not nil, of which a part is written
	failsAfter int   // so many that do not fail
}

func (d *diary) Open() (io.ReadCloser, error) {
	if d.text == nil {
		return nil, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(d.text)), nil
}

func (d *diary) Append(p []byte) error {
	if d.fails != nil {
		if d.failsAfter--; d.failsAfter < 0 {
			err := d.fails
			d.fails, d.text = nil, append(d.text, p[:len(p)/2]...)
			return err
		}
	}
	for _, part := range [][]byte{p[:len(p)/3], p[len(p)/3:]} {
		if err := d.step(); err != nil {
			return err
		}
		d.text = append(d.text, part...)
	}
	d.size = max(d.size, len(d.text))
	return d.step()
}

func (d *diary) Replace(write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	if err := d.step(); err != nil {
		return err
	}
	d.text = b.Bytes()
	return d.step()
}

// outlet is an output ring whose reader takes everything before the next claim, and
// which every life of a stage takes up anew.
type outlet struct {
	*ringtest.Ring
	*fate
	t    *testing.T
	sink ringtest.Reader
	got  []result
}

func newOutlet(t *testing.T, f *fate, capacity uint64) *outlet {
	o := &outlet{Ring: ringtest.New(t, "out", capacity), fate: f, t: t}
	o.sink = o.AttachOldest(t)
	return o
}

func (o *outlet) ClaimGroup(ctx context.Context, heads []proto.Header) (*ring.Group, error) {
	o.drain()
	if err := o.step(); err != nil {
		return nil, err
	}
	g, err := o.Ring.ClaimGroup(ctx, heads)
	if err != nil {
		return nil, err
	}
	for i := range heads { // a claim that is never committed leaves anything
		for j := range g.Payload(i) {
			g.Payload(i)[j] = 0xee
		}
	}
	return g, o.step()
}

func (o *outlet) drain() {
	for end := o.Seg.Tail(); o.sink.Position() != end; {
		f, err := o.sink.Next(context.Background())
		if err != nil {
			o.t.Fatal(err)
		}
		o.got = append(o.got, copied(f))
		if err := o.sink.Release(); err != nil {
			o.t.Fatal(err)
		}
	}
}

// restart makes another writer of the ring, as after a death.
func (o *outlet) restart() {
	o.drain()
	o.Succeed(o.t)
	at := o.sink.Position()
	o.sink = o.AttachAt(o.t, ring.Attach{Start: proto.StartPosition, Position: at})
}

// feed is a ring with everything in it that a stage may have to read.
type feed struct {
	*ringtest.Ring
	src    ringtest.Reader
	gone   bool // its reader said goodbye
	rewind bool // start again at the oldest frame, as a stage without a name does
}

// newFeed is a story of several streams: some speak all the time, others at long
// intervals, some end and begin again, lengths change.
func newFeed(t *testing.T, name string, seed uint64, frames, most int) *feed {
	f := &feed{Ring: ringtest.New(t, name, 1<<bits.Len(uint(frames*(most*3+200))))}
	f.src = f.AttachOldest(t)
	rng := rand.New(rand.NewPCG(seed, 7))
	sequence, length := map[uint64]uint32{}, map[uint64]int{}
	for range frames {
		id := 1 + rng.Uint64N(3)
		if rng.IntN(frames/40) == 0 {
			id = 10 + rng.Uint64N(4) // seldom
		}
		if rng.IntN(60) == 0 {
			f.EndStream(t, id)
			sequence[id] = 0
			continue
		}
		sequence[id]++
		if length[id] == 0 || rng.IntN(20) == 0 {
			length[id] = 1 + rng.IntN(1+rng.IntN(most))
		}
		x := make([]float64, length[id])
		for j := range x {
			x[j] = rng.NormFloat64()
		}
		if rng.IntN(30) == 0 {
			f.Send(t, x) // of no stream
			sequence[id]--
			continue
		}
		f.Send(t, x, ringtest.OnStream(id, sequence[id]))
	}
	f.Finish()
	return f
}

// restart attaches again where the reader was, or at the oldest frame.
func (f *feed) restart(t *testing.T) {
	at := f.src.Position()
	f.Detach(f.Slot)
	a := ring.Attach{Start: proto.StartPosition, Position: at}
	if f.rewind {
		a.Start = proto.StartOldest
	}
	f.src = f.AttachAt(t, a)
}

// life runs a stage over feeds until its fate or the end. The stage reads its inputs
// one after the other so that runs are alike.
func life(t *testing.T, cfg stage.Config, o *outlet, j *diary, feeds ...*feed) error {
	t.Helper()
	cfg.Journal = j
	over, err := stage.Ended(bytes.NewReader(j.text), o.Seg.Identity().RingID)
	if err != nil {
		t.Fatal(err)
	}
	var sources []stage.Source
	for _, f := range feeds {
		if name := f.Seg.Identity().Name; slices.ContainsFunc(over, func(o stage.Over) bool { return o.Name == name }) {
			continue
		} else if f.gone {
			t.Fatalf("ring %s has ended and is gone, the journal says %v", name, over)
		}
		sources = append(sources, doomed{f.src, o.fate, &f.gone})
	}
	s := newStage(t, o, cfg, sources...)
	if err := s.Resume(context.Background(), o.Seg); err != nil {
		return err
	}
	return s.Run(context.Background())
}

// rise makes everything ready for the next life.
func rise(t *testing.T, o *outlet, left int, feeds ...*feed) {
	o.left = left
	o.restart()
	for _, f := range feeds {
		f.restart(t)
	}
}

// Check that a stage that dies at any step, be it once or again and again, leaves the
// output of one that never died: nothing lost, nothing twice, every DELTA there and
// right, also of streams whose last PRIMARY left the output ring long ago.
func TestOnceWhereverItDies(t *testing.T) {
	const frames = 500
	for _, c := range []struct {
		most int // values of a frame
		cfg  stage.Config
	}{{100, stage.Config{}}, {1500, stage.Config{}}, {300, stage.Config{NoDelta: true}}, {200, stage.Config{MaxStreams: 5}}} {
		run := func(seed uint64, rewind bool, left func() int) (*outlet, *diary, int) {
			f := newFeed(t, "in", seed, frames, c.most)
			f.rewind = rewind
			d := &fate{left: left()}
			o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
			lives := 1
			for err := life(t, c.cfg, o, j, f); err != nil; err = life(t, c.cfg, o, j, f) {
				if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				lives++
				rise(t, o, left(), f)
			}
			o.drain()
			return o, j, lives
		}
		const seed = 11
		whole, j, _ := run(seed, false, func() int { return -1 })
		if len(j.text) == 0 || j.size < 500 || whole.Seg.Identity().Capacity*3 > whole.Seg.Tail() {
			t.Fatalf("a journal of %d bytes, %d bytes of results: the test tests nothing", j.size, whole.Seg.Tail())
		}
		stride := 1 + whole.steps/60
		for k := 0; k < whole.steps; k++ {
			if k%stride != 0 && k < whole.steps-12 { // its end is tried at each step
				continue
			}
			once := []int{k, -1}
			o, _, lives := run(seed, k%2 == 0, func() int { n := once[0]; once = once[1:]; return n })
			if lives != 2 || !reflect.DeepEqual(o.got, whole.got) {
				t.Fatalf("%+v: killed at step %d: %s", c, k, difference(o.got, whole.got))
			}
		}
		for round := range uint64(20) {
			rng := rand.New(rand.NewPCG(round, 3))
			o, _, _ := run(seed, false, func() int { return 4 + rng.IntN(60) })
			if !reflect.DeepEqual(o.got, whole.got) {
				t.Fatalf("%+v: killed again and again, seed %d: %s", c, round, difference(o.got, whole.got))
			}
		}
	}
}

// difference is where two outputs part.
func difference(got, want []result) string {
	for i := range want {
		if i >= len(got) {
			return fmt.Sprintf("%d results, want %d", len(got), len(want))
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Sprintf("result %d is\n%+v, want\n%+v", i, got[i], want[i])
		}
	}
	return fmt.Sprintf("%d results, want %d", len(got), len(want))
}
