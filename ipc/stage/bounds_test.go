package stage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

// Check that with one stream too many the one silent longest is ended in band, and
// begins anew, without DELTA, should it go on.
func TestMaxStreams(t *testing.T) {
	got, s := through(t, stage.Config{MaxStreams: 2}, func(in *ringtest.Ring) {
		in.Send(t, []float64{1}, ringtest.OnStream(1, 1))
		in.Send(t, []float64{1}, ringtest.OnStream(2, 1))
		in.Send(t, []float64{1}, ringtest.OnStream(1, 2))
		in.Send(t, []float64{1}, ringtest.OnStream(3, 1)) // ends 2
		in.Send(t, []float64{1}, ringtest.OnStream(2, 2)) // ends 1
	})
	if roles(got) != "P|P|PD|P|E|P|E|" {
		t.Fatalf("results %s", roles(got))
	}
	if got[5].head.Stream != 2 || got[7].head.Stream != 1 {
		t.Errorf("ended %d, then %d", got[5].head.Stream, got[7].head.Stream)
	}
	if st := s.Stats()[0]; st.Evicted != 2 || st.Streams != 2 {
		t.Errorf("stats %+v", st)
	}
}

// Check that the bytes of last results are bounded too, that a stream of its own
// may exceed the bound, and that a stream's end gives its bytes back.
func TestMaxStateBytes(t *testing.T) {
	got, s := through(t, stage.Config{MaxStateBytes: 800}, func(in *ringtest.Ring) {
		in.Send(t, make([]float64, 60), ringtest.OnStream(1, 1))
		in.EndStream(t, 1)
		in.Send(t, make([]float64, 60), ringtest.OnStream(2, 1))
		in.Send(t, make([]float64, 30), ringtest.OnStream(5, 1))
		in.Send(t, make([]float64, 60), ringtest.OnStream(3, 1)) // ends 2
		in.Send(t, make([]float64, 200), ringtest.OnStream(4, 1))
		in.Send(t, make([]float64, 200), ringtest.OnStream(4, 2))
	})
	if roles(got) != "P|E|P|P|P|E|P|E|E|PD|" {
		t.Fatalf("results %s", roles(got))
	}
	if st := s.Stats()[0]; st.Evicted != 3 || st.Ended != 1 || st.Streams != 1 {
		t.Errorf("stats %+v", st)
	}
}

// Check that several inputs are answered each in its own order, with the ring they
// came from, and that equal stream ids of two inputs are two streams.
func TestSeveralInputs(t *testing.T) {
	const inputs, frames = 3, 400
	out := ringtest.New(t, "out", 1<<16)
	sink := out.AttachOldest(t)
	var src []stage.Source
	var feeds sync.WaitGroup
	for i := range inputs {
		in := ringtest.New(t, fmt.Sprintf("%c", 'a'+i), 1<<16)
		src = append(src, in.AttachOldest(t))
		feeds.Go(func() {
			for n := range frames {
				in.Send(t, []float64{float64(1000*i + n)}, ringtest.OnStream(5, uint32(n+1)))
			}
			in.Finish()
		})
	}
	k, _ := kernel.New("identity", kernel.Params{})
	s := newStage(t, out.Writer, stage.Config{Kernel: k}, src...)
	done := make(chan error, 1)
	go func() {
		done <- s.Run(context.Background())
		out.Finish()
	}()
	next := map[uint64]uint32{}
	for _, r := range drain(t, sink) {
		h, i := r.head, int(byte(r.head.SourceID)-'a')
		if h.Role == proto.RoleDelta {
			if r.y[0] != 1 || h.Sequence != next[h.SourceID] {
				t.Fatalf("DELTA %v of %+v", r.y, h)
			}
			continue
		}
		next[h.SourceID]++
		if h.Sequence != next[h.SourceID] || r.y[0] != float64(1000*i+int(h.Sequence)-1) {
			t.Fatalf("PRIMARY %v of %+v, expected sequence %d", r.y, h, next[h.SourceID])
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	feeds.Wait()
	for id, n := range next {
		if n != frames {
			t.Errorf("%d results of input %#x", n, id)
		}
	}
	if len(next) != inputs {
		t.Errorf("%d inputs", len(next))
	}
}

// Check that an error of one input stops the others and is the one returned.
func TestOneInputFails(t *testing.T) {
	a, b, out := ringtest.New(t, "a", 1<<16), ringtest.New(t, "b", 1<<16), ringtest.New(t, "out", 1<<16)
	s := newStage(t, out.Writer, stage.Config{}, a.AttachOldest(t), b.AttachOldest(t))
	b.Send(t, nil, func(h *proto.Header) { h.DType, h.Shape[0] = proto.I16, 4 })
	if err := s.Run(context.Background()); !errors.Is(err, stage.ErrDType) {
		t.Fatal(err)
	}
}

// scripted is a source with a hook before each frame.
type scripted struct {
	ringtest.Reader
	before func(n int)
	n      int
}

func (s *scripted) Next(ctx context.Context) (*ring.Frame, error) {
	s.before(s.n)
	s.n++
	return s.Reader.Next(ctx)
}

// Check that where the output ring drops results, DELTA refers to the last PRIMARY
// that was delivered.
func TestDroppedResults(t *testing.T) {
	const frames, recovery = 400, 390 // 256 bytes of output each, into 64 KiB
	in := ringtest.New(t, "in", 1<<17)
	out := ringtest.New(t, "out", 1<<16, func(id *proto.Identity) { id.Policy = proto.PolicyDropNewest })
	src, sink := in.AttachOldest(t), out.AttachOldest(t)
	for i := range frames {
		in.Send(t, []float64{float64(i * i)}, ringtest.OnStream(1, uint32(i+1)))
	}
	in.Finish()
	var got []result
	k := newKernel(t, "identity")
	s := newStage(t, out.Writer, stage.Config{Kernel: k}, &scripted{Reader: src, before: func(n int) {
		if n != recovery {
			return
		}
		for end := out.Seg.Tail(); sink.Position() != end; _ = sink.Release() {
			f, err := sink.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, copied(f))
			if f.End() == end {
				_ = sink.Release()
				break
			}
		}
	}})
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out.Finish()
	got = append(got, drain(t, sink)...)
	if st := s.Stats()[0]; st.Dropped == 0 || st.Frames != frames || int(st.Dropped) != frames-(len(got)+1)/2 {
		t.Fatalf("stats %+v, %d delivered", st, len(got))
	}
	last := got[0].y[0]
	for i := 1; i < len(got); i += 2 {
		p, d := got[i], got[i+1]
		if d.head.Role != proto.RoleDelta || d.y[0] != p.y[0]-last {
			t.Fatalf("sequence %d: PRIMARY %v after %v, DELTA %v", p.head.Sequence, p.y, last, d.y)
		}
		last = p.y[0]
	}
}

// intruder runs a function in the middle of the kernel's work.
type intruder struct {
	kernel.Kernel
	meanwhile func()
}

func (k intruder) Apply(y, x []float64) {
	k.meanwhile()
	k.Kernel.Apply(y, x)
}

// Check that a result computed from a frame that was overwritten meanwhile is not
// committed: the stage ends with ErrEvicted.
func TestEvictedWhileComputing(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<16), ringtest.New(t, "out", 1<<16)
	src := in.AttachOldest(t)
	slot := in.Slot
	k := intruder{newKernel(t, "identity"), func() {
		in.Evict(slot)
		for range 2000 {
			in.Send(t, []float64{666, 666, 666, 666, 666})
		}
	}}
	in.Send(t, []float64{1, 2, 3, 4, 5})
	err := newStage(t, out.Writer, stage.Config{Kernel: k}, src).Run(context.Background())
	if !errors.Is(err, stage.ErrEvicted) {
		t.Error(err)
	}
	if p := out.Position(); p != 0 {
		t.Errorf("%d bytes committed", p)
	}
	if _, err := out.Claim(context.Background(), proto.F64, 1); errors.Is(err, ring.ErrClaimOpen) {
		t.Error("the claim was left open")
	}
}
