package stage_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

var errKilled = errors.New("killed")

// mortal is a source whose stage dies after a number of frames: before it looks at
// the next one, or when it wants to release the last.
type mortal struct {
	ringtest.Reader
	frames  int
	release bool
}

func (m *mortal) Next(ctx context.Context) (*ring.Frame, error) {
	if m.frames == 0 {
		return nil, errKilled
	}
	m.frames--
	return m.Reader.Next(ctx)
}

func (m *mortal) Release() error {
	if m.frames == 0 && m.release {
		return errKilled
	}
	return m.Reader.Release()
}

// story is a feed of several streams with ends, changes of length and frames of no
// stream.
func story(t *testing.T, in *ringtest.Ring, seed uint64) int {
	rng := rand.New(rand.NewPCG(seed, 1))
	sequence := map[uint64]uint32{}
	const frames = 40
	for range frames {
		id := 1 + rng.Uint64N(4)
		if rng.IntN(5) == 0 {
			in.EndStream(t, id)
			sequence[id] = 0
			continue
		}
		sequence[id]++
		x := make([]float64, 2+rng.IntN(8)/7)
		for j := range x {
			x[j] = rng.NormFloat64()
		}
		in.Send(t, x, ringtest.OnStream(id, sequence[id]))
	}
	in.Finish()
	return frames
}

// live runs a stage that resumes from out and dies as m says.
func live(t *testing.T, out *ringtest.Ring, m *mortal) error {
	s := newStage(t, out.Writer, stage.Config{}, m)
	if err := s.Resume(context.Background(), out.Seg); err != nil {
		t.Fatal(err)
	}
	return s.Run(context.Background())
}

// Check that a stage that dies after any frame, before or after it released it,
// and is started again leaves the same output as one that never died: nothing
// lost, nothing twice, every DELTA right.
func TestResumeAfterEveryFrame(t *testing.T) {
	const seed = 4
	var whole []result
	{
		in, out := ringtest.New(t, "in", 1<<16), ringtest.New(t, "out", 1<<16)
		src, sink := in.AttachOldest(t), out.AttachOldest(t)
		story(t, in, seed)
		if err := live(t, out, &mortal{src, -1, false}); err != nil {
			t.Fatal(err)
		}
		out.Finish()
		whole = drain(t, sink)
	}
	for _, release := range []bool{false, true} {
		for step := 1; step <= 40; step++ {
			in, out := ringtest.New(t, "in", 1<<16), ringtest.New(t, "out", 1<<16)
			src, sink := in.AttachOldest(t), out.AttachOldest(t)
			story(t, in, seed)
			for {
				err := live(t, out, &mortal{src, step, release})
				if err == nil {
					break
				}
				if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				at := src.Position()
				in.Detach(in.Slot)
				src = in.AttachAt(t, ring.Attach{Start: proto.StartPosition, Position: at})
				if release && step == 1 {
					break // never gets beyond the frame it releases never
				}
			}
			if release && step == 1 {
				continue
			}
			out.Finish()
			if got := drain(t, sink); !reflect.DeepEqual(got, whole) {
				t.Fatalf("killed every %d frames, release %v: %s, want %s", step, release, roles(got), roles(whole))
			}
		}
	}
}

// Check that a stream whose last PRIMARY is gone from the output ring ends after a
// restart, once, and that a new stream is served.
func TestResumeWithoutState(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<20), ringtest.New(t, "out", 1<<16)
	src := in.AttachOldest(t)
	in.Send(t, []float64{1}, ringtest.OnStream(1, 1))
	for i := range 300 {
		in.Send(t, []float64{1}, ringtest.OnStream(2, uint32(i+1)))
	}
	sink := out.AttachOldest(t)
	done := make(chan error, 1)
	m := &mortal{src, 301, false}
	go func() { done <- live(t, out, m) }()
	read := 0
	for ; read < 600; read++ { // P, P, then 299 times P and D
		if _, err := sink.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := sink.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	in.Send(t, []float64{5}, ringtest.OnStream(1, 2))
	in.Send(t, []float64{5}, ringtest.OnStream(1, 3))
	in.Send(t, []float64{7}, ringtest.OnStream(2, 301))
	in.Send(t, []float64{7}, ringtest.OnStream(3, 1))
	in.EndStream(t, 1)
	in.Finish()
	if err := live(t, out, &mortal{src, -1, false}); err != nil {
		t.Fatal(err)
	}
	out.Finish()
	got := drain(t, sink)
	if roles(got) != "E|PD|P|E|" || got[0].head.Stream != 1 {
		t.Fatalf("%s: %v", roles(got), got)
	}
}
