package stage_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

func newKernel(t testing.TB, name string) kernel.Kernel {
	t.Helper()
	k, err := kernel.New(name, kernel.Params{Scale: 2, Offset: 1})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newStage(t testing.TB, out stage.Sink, cfg stage.Config, in ...stage.Source) *stage.Stage {
	t.Helper()
	if cfg.Kernel == nil {
		cfg.Kernel = newKernel(t, "affine")
	}
	s, err := stage.New(out, cfg, in...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// through sends what feed writes through a stage and returns its whole output.
func through(t testing.TB, cfg stage.Config, feed func(*ringtest.Ring)) ([]result, *stage.Stage) {
	t.Helper()
	in, out := ringtest.New(t, "in", 1<<20), ringtest.New(t, "out", 1<<20)
	src, sink := in.AttachOldest(t), out.AttachOldest(t)
	feed(in)
	in.Finish()
	s := newStage(t, out.Writer, cfg, src)
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out.Finish()
	return drain(t, sink), s
}

func same(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(p, q float64) bool { return math.Float64bits(p) == math.Float64bits(q) })
}

// roles writes a result list as a word: P, D, E, a bar after each group.
func roles(rs []result) string {
	var b strings.Builder
	for _, r := range rs {
		switch {
		case r.head.Kind == proto.KindStreamEnd:
			b.WriteByte('E')
		case r.head.Role == proto.RoleDelta:
			b.WriteByte('D')
		default:
			b.WriteByte('P')
		}
		if !r.more {
			b.WriteByte('|')
		}
	}
	return b.String()
}

// Check that the figures can be asked for all the while, from the beginning of Run on;
// the race detector looks.
func TestStatsWhileRunning(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<20), ringtest.New(t, "out", 1<<20)
	src := in.AttachOldest(t)
	out.AttachOldest(t)
	in.Finish()
	s := newStage(t, out.Writer, stage.Config{}, src)
	asked, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := range 1000 {
			if got := s.Stats(); len(got) != 1 {
				t.Errorf("figures of %d inputs, want 1", len(got))
			}
			if i == 0 {
				close(asked)
			}
		}
	}()
	<-asked
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-done
}

// Check that every frame is answered by PRIMARY, from the second on with DELTA in
// the same group, and that values, stream, sequence, source and time are right.
func TestPrimaryAndDelta(t *testing.T) {
	var at []uint64
	got, s := through(t, stage.Config{}, func(in *ringtest.Ring) {
		for i := range 3 {
			x := []float64{float64(i), float64(i * i), math.Inf(1)}
			at = append(at, in.Position())
			in.Send(t, x, func(h *proto.Header) {
				ringtest.OnStream(7, uint32(i+1))(h)
				h.ExtFlags |= proto.ExtTime
				h.TimeNs = uint64(1000 + i)
			})
		}
		at[1], at[2] = at[0]+128, at[0]+256
	})
	if roles(got) != "P|PD|PD|" {
		t.Fatalf("results %s", roles(got))
	}
	want := [][]float64{{1, 1, math.Inf(1)}, {3, 3, math.Inf(1)}, {2, 2, math.NaN()}, {5, 9, math.Inf(1)}, {2, 6, math.NaN()}}
	for i, r := range got {
		n := uint64(i+1) / 2
		h := r.head
		if h.Stream != 7 || h.Sequence != uint32(n+1) || h.TimeNs != 1000+n || h.Source != at[n] {
			t.Errorf("result %d: %+v", i, h)
		}
		if h.ExtFlags != proto.ExtStream|proto.ExtSource|proto.ExtTime || h.DType != proto.F64 || h.SourceID == 0 {
			t.Errorf("result %d: %+v", i, h)
		}
		for j := range want[i] {
			if a, b := r.y[j], want[i][j]; a != b && !(math.IsNaN(a) && math.IsNaN(b)) {
				t.Errorf("result %d: %v, want %v", i, r.y, want[i])
			}
		}
	}
	if st := s.Stats()[0]; st.Frames != 3 || st.Deltas != 2 || st.Streams != 1 || st.Ring != "in" || st.Position == 0 {
		t.Errorf("stats %+v", st)
	}
}

// Check that frames without a stream are stream 0 with the frame's number, from 1,
// as sequence, and that no time is invented.
func TestInlineFrames(t *testing.T) {
	got, _ := through(t, stage.Config{}, func(in *ringtest.Ring) {
		in.Send(t, []float64{1})
		in.Send(t, []float64{2})
	})
	if roles(got) != "P|PD|" {
		t.Fatalf("results %s", roles(got))
	}
	for i, want := range []uint32{1, 2, 2} {
		h := got[i].head
		if h.Stream != 0 || h.Sequence != want || h.ExtFlags != proto.ExtStream|proto.ExtSource {
			t.Errorf("result %d: %+v", i, h)
		}
	}
}

// Check that streams do not see each other's results and that a stream's end is
// passed on in order and forgets the last result.
func TestStreamsAndTheirEnds(t *testing.T) {
	got, s := through(t, stage.Config{}, func(in *ringtest.Ring) {
		in.Send(t, []float64{1}, ringtest.OnStream(1, 1))
		in.Send(t, []float64{100}, ringtest.OnStream(2, 1))
		in.Send(t, []float64{2}, ringtest.OnStream(1, 2))
		in.EndStream(t, 1)
		in.Send(t, []float64{200}, ringtest.OnStream(2, 2))
		in.Send(t, []float64{3}, ringtest.OnStream(1, 1))
		in.EndStream(t, 9) // never heard of
	})
	if roles(got) != "P|P|PD|E|PD|P|E|" {
		t.Fatalf("results %s", roles(got))
	}
	if d := got[3]; d.head.Stream != 1 || d.y[0] != 2 {
		t.Errorf("DELTA of stream 1: %v", d)
	}
	if e := got[4]; e.head.Stream != 1 || e.head.ExtFlags&proto.ExtSource == 0 {
		t.Errorf("end of stream 1: %+v", e.head)
	}
	if d := got[6]; d.head.Stream != 2 || d.y[0] != 200 {
		t.Errorf("DELTA of stream 2: %v", d)
	}
	if st := s.Stats()[0]; st.Ended != 2 || st.Streams != 2 {
		t.Errorf("stats %+v", st)
	}
}

// Check that there is no DELTA where the length or the shape changes, and that the
// one after it refers to the frame of the new shape.
func TestShapeChanges(t *testing.T) {
	square := func(h *proto.Header) { h.NDim, h.Shape[0], h.Shape[1] = 2, 2, 2 }
	got, _ := through(t, stage.Config{}, func(in *ringtest.Ring) {
		in.Send(t, []float64{1, 2, 3, 4})
		in.Send(t, []float64{1, 2})
		in.Send(t, []float64{5, 6})
		in.Send(t, []float64{1, 2, 3, 4}, square)
		in.Send(t, []float64{2, 3, 4, 5}, square)
		in.Send(t, []float64{1, 2, 3, 4})
		in.Send(t, nil)
		in.Send(t, nil)
	})
	if roles(got) != "P|P|PD|P|PD|P|P|PD|" {
		t.Fatalf("results %s", roles(got))
	}
	if d := got[3].y; !same(d, []float64{8, 8}) {
		t.Errorf("DELTA %v", d)
	}
	if d := got[6]; !same(d.y, []float64{2, 2, 2, 2}) || d.head.NDim != 2 || d.head.Shape[1] != 2 {
		t.Errorf("DELTA %v of %+v", d.y, d.head)
	}
}

// Check that a strided frame is computed in the order of its indices and leaves
// contiguous.
func TestStridedFrame(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<16), ringtest.New(t, "out", 1<<16)
	src, sink := in.AttachOldest(t), out.AttachOldest(t)
	for range 2 {
		h := proto.Header{DType: proto.F64, NDim: 2, ExtFlags: proto.ExtStrides}
		h.Shape[0], h.Shape[1], h.Strides[0], h.Strides[1] = 2, 3, 8, 16 // Fortran order
		c, err := in.ClaimFrame(context.Background(), &h)
		if err != nil {
			t.Fatal(err)
		}
		copy(c.Float64s(), []float64{1, 4, 2, 5, 3, 6})
		c.Commit()
	}
	in.Finish()
	if err := newStage(t, out.Writer, stage.Config{}, src).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out.Finish()
	got := drain(t, sink)
	if roles(got) != "P|PD|" || !same(got[1].y, []float64{3, 5, 7, 9, 11, 13}) || !same(got[2].y, make([]float64, 6)) {
		t.Fatalf("%s: %v", roles(got), got)
	}
}

// Check that NoDelta leaves DELTA out.
func TestNoDelta(t *testing.T) {
	got, _ := through(t, stage.Config{NoDelta: true}, func(in *ringtest.Ring) {
		in.Send(t, []float64{1})
		in.Send(t, []float64{2})
	})
	if roles(got) != "P|P|" || got[1].y[0] != 5 {
		t.Fatalf("%s: %v", roles(got), got)
	}
}

// Check that a frame of another type ends the stage with an error that names ring,
// frame and type, and leaves the frame unreleased.
func TestOtherDType(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<16), ringtest.New(t, "out", 1<<16)
	src := in.AttachOldest(t)
	in.Send(t, nil, func(h *proto.Header) { h.DType, h.Shape[0] = proto.F32, 4 })
	err := newStage(t, out.Writer, stage.Config{}, src).Run(context.Background())
	if !errors.Is(err, stage.ErrDType) || !strings.Contains(err.Error(), `"in"`) || !strings.Contains(err.Error(), "f32") {
		t.Fatal(err)
	}
	if src.Position() != 0 {
		t.Fatalf("released up to %d", src.Position())
	}
}

// Check that a stage without kernel, output or input, or with a ring twice, is
// refused.
func TestNewRefuses(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<16), ringtest.New(t, "out", 1<<16)
	a, b := in.AttachOldest(t), in.AttachOldest(t)
	k := newKernel(t, "identity")
	for _, c := range []struct {
		out stage.Sink
		k   kernel.Kernel
		in  []stage.Source
	}{{out.Writer, nil, []stage.Source{a}}, {nil, k, []stage.Source{a}}, {out.Writer, k, nil}, {out.Writer, k, []stage.Source{a, b}}} {
		if _, err := stage.New(c.out, stage.Config{Kernel: c.k}, c.in...); !errors.Is(err, stage.ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Check that a cancelled context ends a waiting stage with the context's error.
func TestCancel(t *testing.T) {
	a, b, out := ringtest.New(t, "a", 1<<16), ringtest.New(t, "b", 1<<16), ringtest.New(t, "out", 1<<16)
	ctx, cancel := context.WithCancel(context.Background())
	s := newStage(t, out.Writer, stage.Config{}, a.AttachOldest(t), b.AttachOldest(t))
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// Check that a group too large for the output ring is an error that says so.
func TestGroupTooLarge(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<20), ringtest.New(t, "out", 1<<16)
	src := in.AttachOldest(t)
	in.Send(t, make([]float64, 4000))
	err := newStage(t, out.Writer, stage.Config{}, src).Run(context.Background())
	if !errors.Is(err, ring.ErrFrameTooLarge) {
		t.Fatal(err)
	}
}
