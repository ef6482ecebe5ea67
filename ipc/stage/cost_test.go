package stage_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

// rig is a stage that is granted frames in batches, with its rings.
type rig struct {
	in, out  *ringtest.Ring
	src      *granted
	sink     ringtest.Reader
	stage    *stage.Stage
	sequence uint32
}

// granted is a source that ends after as many frames as it is granted.
type granted struct {
	ringtest.Reader
	left int
}

func (g *granted) Next(ctx context.Context) (*ring.Frame, error) {
	if g.left == 0 {
		return nil, io.EOF
	}
	g.left--
	return g.Reader.Next(ctx)
}

func newRig(t testing.TB, kernelName string, in, out uint64, j stage.Journal) *rig {
	r := &rig{in: ringtest.New(t, "in", in), out: ringtest.New(t, "out", out)}
	r.src, r.sink = &granted{Reader: r.in.AttachOldest(t)}, r.out.AttachOldest(t)
	r.stage = newStage(t, r.out.Writer, stage.Config{Kernel: newKernel(t, kernelName), Journal: j}, r.src)
	if err := r.stage.Resume(context.Background(), r.out.Seg); err != nil {
		t.Fatal(err)
	}
	return r
}

// shredder is a journal that keeps nothing and counts.
type shredder struct {
	writes int
	bytes  int
}

func (*shredder) Open() (io.ReadCloser, error)                { return nil, os.ErrNotExist }
func (s *shredder) Replace(write func(io.Writer) error) error { return write(s) }
func (s *shredder) Append(p []byte) error {
	_, err := s.Write(p)
	return err
}

func (s *shredder) Write(p []byte) (int, error) {
	s.writes++
	s.bytes += len(p)
	return len(p), nil
}

func (r *rig) fill(t testing.TB, frames int, x []float64) {
	for range frames {
		r.sequence++
		r.in.Send(t, x, ringtest.OnStream(uint64(r.sequence%3), r.sequence))
	}
	r.src.left += frames
}

func (r *rig) run(t testing.TB) {
	if err := r.stage.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// empty reads what the stage committed.
func (r *rig) empty(t testing.TB) {
	for end := r.out.Seg.Tail(); r.sink.Position() != end; {
		if _, err := r.sink.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := r.sink.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// Check that answering a frame of a known stream takes no heap memory.
func TestNoAllocations(t *testing.T) {
	const runs, frames = 10, 10
	r := newRig(t, "arcsec", 1<<16, 1<<18, nil)
	x := []float64{1, 2, 3, 4, 5}
	r.fill(t, 3, x)
	r.run(t)
	r.fill(t, (1+runs)*frames, x)
	r.src.left = 0
	n := testing.AllocsPerRun(runs, func() { // and once before
		r.src.left = frames
		r.run(t)
	})
	if n != 0 && !raceEnabled {
		t.Fatalf("%v allocations for %d frames", n, frames)
	}
}

// Check that a stage with a journal takes no heap memory either, and that the journal is
// written to once for most of a lap of the output ring, with a few hundred bytes, as
// long as no stream is silent for so long.
func TestJournalCost(t *testing.T) {
	const laps, frames, lap = 20, 250, 1 << 18
	j := &shredder{}
	r := newRig(t, "arcsec", 1<<20, lap, j)
	x := []float64{1, 2, 3, 4, 5}
	r.fill(t, 3, x)
	r.run(t)
	begin, written, total, ends := r.out.Seg.Tail(), *j, 0.0, 0
	for r.out.Seg.Tail()-begin < laps*lap {
		r.fill(t, 2*frames, x)
		r.src.left = 0
		total += testing.AllocsPerRun(1, func() { // and once before
			r.src.left = frames
			r.run(t)
			ends++ // each is noted
		})
		r.empty(t)
	}
	const endBytes = 128
	writes, bytes := j.writes-written.writes-ends, j.bytes-written.bytes-ends*endBytes
	t.Logf("%v allocations, %d writes of %d bytes together for %d laps", total, writes, bytes, laps)
	// The runtime itself takes some now and then; a write or a run that does comes to more.
	if total >= laps && !raceEnabled {
		t.Error("heap memory was taken")
	}
	if writes > 2*laps || writes < laps || bytes > 400*writes {
		t.Error("the journal is written to too often, too seldom or too much at a time")
	}
}

// BenchmarkStage is the stage alone, one frame after the other, over rings that
// are filled and emptied while the clock stands.
func BenchmarkStage(b *testing.B) {
	for _, name := range []string{"identity", "arcsec"} {
		for _, n := range []int{5, 1024} {
			for _, kept := range []bool{false, true} {
				b.Run(fmt.Sprintf("kernel=%s/journal=%v/dtype=f64/n=%d", name, kept, n), func(b *testing.B) {
					var j stage.Journal
					if kept {
						j = &shredder{}
					}
					benchmarkStage(b, newRig(b, name, 16<<20, 64<<20, j), n)
				})
			}
		}
	}
}

func benchmarkStage(b *testing.B, r *rig, n int) {
	x, left := make([]float64, n), 0
	for i := range x {
		x[i] = 1 + float64(i)/100
	}
	b.SetBytes(int64(8 * n))
	b.ReportAllocs()
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			r.empty(b)
			left = 1000
			r.fill(b, left, x)
			r.src.left = 0
			b.StartTimer()
		}
		left--
		r.src.left = 1
		r.run(b)
	}
}
