package command

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// consumerOf returns a consumer of a ring that write fills and that has ended then.
func consumerOf(t *testing.T, meta []byte, write func(*ipc.Writer)) *consumer {
	t.Helper()
	dir := ringDir(t)
	w, err := ipc.Listen(t.Context(), "x", ipc.WriterConfig{Dir: dir, Capacity: proto.MinCapacityBytes, Meta: meta})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ipc.Dial(t.Context(), "x", ipc.ReaderConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	write(w)
	ended := make(chan error, 1)
	go func() { ended <- w.Close(context.Background()) }()
	t.Cleanup(func() {
		if err := errors.Join(r.Close(), <-ended); err != nil {
			t.Error(err)
		}
	})
	s := &consumer{name: "x", how: &reading{}, tally: &tally{out: bufio.NewWriter(io.Discard)}, from: r}
	if s.printer, err = render.New(s.tally.out, render.Text, 1); err != nil {
		t.Fatal(err)
	}
	return s
}

// commit writes a frame of the default source of produce.
func commit(t *testing.T, w *ipc.Writer, h proto.Header, source *provenance.Source, n uint64) {
	t.Helper()
	h.DType, h.NDim, h.Shape[0] = proto.F64, 1, uint64(source.Shape[0])
	c, err := w.ClaimFrame(t.Context(), &h)
	if err != nil {
		t.Fatal(err)
	}
	source.Fill(c.Float64s(), n)
	c.Commit()
}

// elsewhere is a ring whose frame comes while the consumers of others take the last
// frames that are wanted.
type elsewhere struct {
	frames
	tally *tally
}

func (e elsewhere) Next(ctx context.Context) (*ring.Frame, error) {
	f, err := e.frames.Next(ctx)
	e.tally.taken.Store(e.tally.count)
	return f, err
}

// Check that a frame is neither printed nor counted when the last one that is wanted was
// taken while it was waited for.
func TestFrameTooMany(t *testing.T) {
	source := &provenance.Source{Kind: provenance.KindLinspace, Shape: []int{5}}
	s := consumerOf(t, nil, func(w *ipc.Writer) { commit(t, w, proto.Header{}, source, 0) })
	s.from = elsewhere{s.from, s.tally}
	s.tally.count = 3
	s.tally.print.Store(1)
	if err := s.run(t.Context()); err != nil || s.counts.frames.Load() != 0 || s.tally.print.Load() != 1 {
		t.Errorf("%v, %d frames counted, %d left to print, want none counted and 1 left", err, s.counts.frames.Load(), s.tally.print.Load())
	}
}

// Check that consumers take exactly as many frames as are wanted, however many try.
func TestTally(t *testing.T) {
	tl := tally{count: 1000}
	var taking sync.WaitGroup
	got := make([]int, 4)
	for i := range got {
		taking.Go(func() {
			for !tl.full() {
				if tl.take() {
					got[i]++
				}
			}
		})
	}
	taking.Wait()
	if sum := got[0] + got[1] + got[2] + got[3]; sum != 1000 || tl.take() {
		t.Errorf("%v frames taken, want 1000 in all", got)
	}
}

// Check that a ring which ends between a PRIMARY and its DELTA fails to verify, by name.
func TestEndWithoutDelta(t *testing.T) {
	source := provenance.Source{Kind: provenance.KindLinspace, DType: proto.F64.String(), Shape: []int{5}}
	p := provenance.Provenance{Source: source}.Then(provenance.Step{Kernel: "identity", Scale: 1})
	meta, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s := consumerOf(t, meta, func(w *ipc.Writer) {
		for n := range uint64(2) {
			commit(t, w, proto.Header{ExtFlags: proto.ExtStream, Sequence: uint32(n + 1)}, &source, n)
		}
	})
	if err := s.verifyBy(s.from.Identity()); err != nil {
		t.Fatal(err)
	}
	err = s.run(t.Context())
	if !errors.Is(err, io.EOF) || s.audit.Primary != 2 {
		t.Fatalf("%v with %d PRIMARY verified, want the end and 2", err, s.audit.Primary)
	}
	err = s.atEnd(err)
	if want := "ring x: frame 1 has PRIMARY but no DELTA: "; !errors.Is(err, provenance.ErrGap) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("at the end: %v, want %q", err, want)
	}
}
