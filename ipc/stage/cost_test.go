package stage_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/ring"
)

// rig is a stage that is granted frames in batches, with its rings.
type rig struct {
	in, out  *heapRing
	src      *granted
	sink     heapReader
	stage    *stage.Stage
	sequence uint32
}

// granted is a source that ends after as many frames as it is granted.
type granted struct {
	heapReader
	left int
}

func (g *granted) Next(ctx context.Context) (*ring.Frame, error) {
	if g.left == 0 {
		return nil, io.EOF
	}
	g.left--
	return g.heapReader.Next(ctx)
}

func newRig(t testing.TB, kernelName string, capacity uint64) *rig {
	r := &rig{in: newRing(t, "in", capacity), out: newRing(t, "out", 4*capacity)}
	r.src, r.sink = &granted{heapReader: r.in.attach(t)}, r.out.attach(t)
	r.stage = newStage(t, r.out.w, stage.Config{Kernel: newKernel(t, kernelName)}, r.src)
	return r
}

func (r *rig) fill(t testing.TB, frames int, x []float64) {
	for range frames {
		r.sequence++
		r.in.send(t, x, onStream(uint64(r.sequence%3), r.sequence))
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
	for end := r.out.seg.Tail(); r.sink.Position() != end; {
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
	r := newRig(t, "arcsec", 1<<16)
	x := []float64{1, 2, 3, 4, 5}
	r.fill(t, 3, x)
	r.run(t)
	r.fill(t, (1+runs)*frames, x)
	r.src.left = 0
	n := testing.AllocsPerRun(runs, func() { // and once before
		r.src.left = frames
		r.run(t)
	})
	if n != 0 {
		t.Fatalf("%v allocations for %d frames", n, frames)
	}
}

// BenchmarkStage is the stage alone, one frame after the other, over rings that
// are filled and emptied while the clock stands.
func BenchmarkStage(b *testing.B) {
	for _, name := range []string{"identity", "arcsec"} {
		for _, n := range []int{5, 1024} {
			b.Run(fmt.Sprintf("kernel=%s/dtype=f64/n=%d", name, n), func(b *testing.B) {
				r, x, left := newRig(b, name, 16<<20), make([]float64, n), 0
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
			})
		}
	}
}
