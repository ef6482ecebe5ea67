package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// awake spins longer than any peer of a benchmark needs, so that nobody parks.
const awake = 10 * time.Second

// asleep parks at once.
const asleep = -1

// wiring tells the sides of a job how they are joined by rings.
type wiring struct {
	Dir      string
	Capacity uint64
	Spin     time.Duration // as ipc has it: 0 = its default, negative = none
	Memory   ipc.Memory    // of writer and reader
}

// carryRings carries out job over rings in a directory of its own, whose path
// params turns into the job's parameters.
func (h *Host) carryRings(ctx context.Context, job Job, params func(dir string) any, reply any) error {
	dir, err := os.MkdirTemp(h.Dir, "ndring-bench-"+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return fmt.Errorf("create a ring directory: %w", err)
	}
	defer os.RemoveAll(dir)
	job.Params = params(dir)
	return h.Carry(ctx, job, reply)
}

// sweep removes the ring directories of runs that were killed.
func (h *Host) sweep() {
	left, _ := filepath.Glob(filepath.Join(h.Dir, "ndring-bench-*-*"))
	for _, dir := range left {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), "ndring-bench-%d-", &pid); err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); os.IsNotExist(err) {
			_ = os.RemoveAll(dir) // another user's stays
		}
	}
}

// listen makes a ring. It is not closed: the directory goes as a whole when the
// processes have ended.
func (p wiring) listen(name string) (*ipc.Writer, error) {
	return ipc.Listen(context.Background(), name, ipc.WriterConfig{Dir: p.Dir, Capacity: p.Capacity, Spin: p.Spin, Memory: p.Memory})
}

func (p wiring) dial(name string) (*ipc.Reader, error) {
	return ipc.Dial(context.Background(), name, ipc.ReaderConfig{Dir: p.Dir, Spin: p.Spin, Memory: p.Memory, Start: proto.StartOldest})
}

// duplex is one side's end of two rings, one for each direction.
type duplex struct {
	out  *ipc.Writer
	in   *ipc.Reader
	next *ring.Claim // space claimed ahead for the next frame, or nil
}

// join opens the two rings called name for side s of two.
func (p wiring) join(s *Side, name string) (duplex, error) {
	own, others := name+"-forth", name+"-back"
	if s.Index == 1 {
		own, others = others, own
	}
	out, err := p.listen(own)
	if err != nil {
		return duplex{}, err
	}
	in, err := p.dial(others)
	return duplex{out: out, in: in}, err
}

// claim is the space of n values that was claimed ahead, or claims it.
func (d *duplex) claim(ctx context.Context, n int) (*ring.Claim, error) {
	if c := d.next; c != nil {
		d.next = nil
		return c, nil
	}
	return d.out.Claim(ctx, proto.F64, n)
}

// ahead claims the space of the next frame, of n values, while this side has to wait
// for the other anyway: what is left to do on arrival is to fill and to commit.
func (d *duplex) ahead(ctx context.Context, n int) (err error) {
	d.next, err = d.out.Claim(ctx, proto.F64, n)
	return err
}

// send fills a frame of n values and commits it.
func (d *duplex) send(ctx context.Context, n int, value float64) error {
	c, err := d.claim(ctx, n)
	if err != nil {
		return err
	}
	fillFrame(c.Float64s(), value)
	c.Commit()
	return nil
}

// receive awaits a frame and returns the value it was filled with, as its ends have
// it: a round trip measures the hand-over, not what is done with the values. The
// frame is released by the next call, while this side waits anyway.
func (d *duplex) receive(ctx context.Context) (float64, error) {
	f, err := d.in.Next(ctx)
	if err != nil {
		return 0, err
	}
	x := f.Float64s()
	if len(x) == 0 || x[0] != x[len(x)-1] {
		return 0, fmt.Errorf("frame %d is not of one value: %w", f.Number(), ErrMismatch)
	}
	return x[0], nil
}
