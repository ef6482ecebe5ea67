package stage_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

// cued is a source whose nth frame is given when cue returns.
type cued struct {
	ringtest.Reader
	n   int
	cue func(ctx context.Context, n int) error
}

func (c *cued) Next(ctx context.Context) (*ring.Frame, error) {
	c.n++
	if err := c.cue(ctx, c.n); err != nil {
		return nil, err
	}
	return c.Reader.Next(context.Background())
}

func emptyFeed(t *testing.T, name string) *feed {
	f := &feed{Ring: ringtest.New(t, name, 1<<16)}
	f.src = f.AttachOldest(t)
	return f
}

// meddler runs a function when the kernel is done with a DELTA.
type meddler struct {
	kernel.Kernel
	then func(x float64)
}

func (m meddler) ApplyDelta(y, d, last, x []float64) {
	m.Kernel.ApplyDelta(y, d, last, x)
	m.then(x[0])
}

// of are the results of one stream.
func of(all []result, id uint64) []result {
	var out []result
	for _, r := range all {
		if r.head.Stream == id {
			out = append(out, r)
		}
	}
	return out
}

// Check that what was computed of a frame that was overwritten meanwhile gets into no
// journal, although another input goes on and what it claims takes the last result of
// that stream out of the output ring: the next DELTA is the difference from the PRIMARY
// delivered last.
func TestEvictedBesideAnother(t *testing.T) {
	const last = 8 // frame of b, which takes the output ring around
	a, b := emptyFeed(t, "a"), emptyFeed(t, "b")
	d := &fate{left: -1}
	o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
	a.Send(t, []float64{1, 2, 3}, ringtest.OnStream(7, 1))
	a.Send(t, []float64{100, 200, 300}, ringtest.OnStream(7, 2))
	for i := range uint32(last) {
		b.Send(t, make([]float64, 500), ringtest.OnStream(8, i+1))
	}
	began, full := make(chan struct{}), make(chan struct{})
	ofA := &cued{Reader: a.src, cue: func(_ context.Context, n int) error {
		if n == 2 {
			close(began)
			<-full
		}
		return nil
	}}
	ofB := &cued{Reader: b.src, cue: func(ctx context.Context, n int) error {
		switch n {
		case 1:
			<-began
		case last:
			close(full)
			<-ctx.Done() // a has ended
		case last + 1:
			return errKilled
		}
		return nil
	}}
	k := meddler{newKernel(t, "affine"), func(x float64) {
		if x == 100 {
			a.Evict(a.Slot)
			for range 2000 {
				a.Send(t, []float64{666, 666, 666})
			}
		}
	}}
	s := newStage(t, o, stage.Config{Kernel: k, Journal: j}, ofA, ofB)
	if err := s.Resume(t.Context(), o.Seg); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, stage.ErrEvicted) {
		t.Fatal(err)
	}
	o.restart()
	a.Detach(a.Slot)
	a.src = a.AttachAt(t, ring.Attach{Start: proto.StartLatest})
	a.Send(t, []float64{11, 22, 33}, ringtest.OnStream(7, 3))
	b.restart(t)
	a.Finish()
	b.Finish()
	if err := life(t, stage.Config{}, o, j, a, b); err != nil {
		t.Fatal(err)
	}
	o.drain()
	got := of(o.got, 7)
	if roles(got) != "P|PD|" || got[2].y[0] != 20 || got[2].y[2] != 60 {
		t.Errorf("stream of the evicted input: %s %v", roles(got), got)
	}
	if got := of(o.got, 8); len(got) != 2*last-1 {
		t.Errorf("stream of the other input: %s", roles(got))
	}
}

// halting is a journal that runs a function once, when it is first added to.
type halting struct {
	*diary
	then func()
}

func (h *halting) Append(p []byte) error {
	if h.then != nil {
		then := h.then
		h.then = nil
		then()
	}
	return h.diary.Append(p)
}

// dying is an output ring that is claimed no more when dead says so.
type dying struct {
	*outlet
	dead atomic.Bool
}

func (d *dying) ClaimGroup(ctx context.Context, heads []proto.Header) (*ring.Group, error) {
	if d.dead.Load() {
		return nil, errKilled
	}
	return d.outlet.ClaimGroup(ctx, heads)
}

// awaitLock waits until somebody who has a result waits for the claim's lock.
func awaitLock() {
	for stacks := make([]byte, 1<<20); ; runtime.Gosched() {
		for _, one := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			head, rest, _ := strings.Cut(one, "\n")
			if strings.Contains(head, "[sync.Mutex.Lock") && strings.Contains(rest, "(*input).result(") {
				return
			}
		}
	}
}

// Check that the journal tells the sequence of what was committed, not that of a frame
// whose result waits while another input writes the journal: if the stage dies then, and
// the ring is no input of the next life, its stream ends behind what was delivered.
func TestSequenceOfWhatWasCommitted(t *testing.T) {
	const last = 8 // frame of b, which takes the output ring around
	a, b := emptyFeed(t, "a"), emptyFeed(t, "b")
	d := &fate{left: -1}
	o := &dying{outlet: newOutlet(t, d, 1<<16)}
	a.Send(t, []float64{1, 2, 3}, ringtest.OnStream(7, 1))
	a.Send(t, []float64{4, 5, 6}, ringtest.OnStream(7, 2))
	b.Send(t, make([]float64, 600), ringtest.OnStream(9, 1)) // so long that it is added at once
	for i := range uint32(last) {
		b.Send(t, make([]float64, 500), ringtest.OnStream(8, i+1))
	}
	first, began, saving := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ofA := &cued{Reader: a.src, cue: func(_ context.Context, n int) error {
		if n == 1 {
			<-first
			return nil
		}
		close(began)
		<-saving
		return nil
	}}
	ofB := &cued{Reader: b.src, cue: func(_ context.Context, n int) error {
		if n == 2 {
			close(first)
			<-began
		}
		return nil
	}}
	j := &halting{&diary{fate: d}, func() {
		close(saving)
		awaitLock()
		o.dead.Store(true)
	}}
	s := newStage(t, o, stage.Config{Journal: j}, ofA, ofB)
	if err := s.Resume(t.Context(), o.Seg); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	o.restart()
	b.restart(t)
	b.Finish()
	if err := life(t, stage.Config{}, o.outlet, j.diary, b); err != nil {
		t.Fatal(err)
	}
	o.drain()
	got := of(o.got, 7)
	if end := got[len(got)-1]; end.head.Kind != proto.KindStreamEnd || end.head.Sequence != 1 {
		t.Errorf("stream 7 ends with %+v, want an end of sequence 1", end.head)
	}
}
