package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

const roleBatch = "batch"

// batchFrames is how many frames one claim and one lease take.
const batchFrames = 64

// BatchRate is RingRate for touched frames of 40 bytes that are claimed and
// leased in batches. It runs over package ring in memory the sides share, without
// files or a control plane; what a frame costs is the same. Its sample is
// frames_40B_touched_batch.
type BatchRate struct {
	Frames   int
	Capacity uint64
}

// Name is frames_40B_touched_batch.
func (f BatchRate) Name() string { return "frames_40B_touched_batch" }

// Measure implements Figure.
func (f BatchRate) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats, err := host.Pair(roleBatch, Apart)
	if err != nil {
		return nil, err
	}
	id := f.identity()
	var perSecond float64
	job := Job{Seats: seats, PinLate: true, SharedBytes: int(id.SegmentBytes() + proto.TableBytes(id.Slots)), Params: f}
	if err := host.Carry(ctx, job, &perSecond); err != nil {
		return nil, err
	}
	return rateSamples(f.Name(), perSecond, 8*payloadWords), nil
}

func (f BatchRate) identity() proto.Identity {
	id := proto.NewIdentity("x", f.Capacity)
	id.RingID[0] = 1
	id.CreatedNs, id.CreatorPID = uint64(time.Now().UnixNano()), uint32(os.Getpid())
	return id
}

// nap is a ring.Sleeper for sides that never need one.
type nap struct{}

func (nap) Sleep(ctx context.Context) error {
	time.Sleep(20 * time.Microsecond)
	return ctx.Err()
}

// Ring does nothing: a nap is short.
func (nap) Ring() {}

var (
	_ ring.Sleeper = nap{}
	_ ring.Bell    = nap{}
)

// batchSide writes as side 0 and reads as side 1, like rateSide.
func batchSide(s *Side) (any, error) {
	var f BatchRate
	if err := s.Params(&f); err != nil {
		return nil, err
	}
	warmUp := warmUpOf(f.Frames)
	if s.Index == 1 {
		s.Meet()
		r, err := f.attach(s.Shared)
		if err != nil {
			return nil, err
		}
		s.Meet()
		if err := readBatches(r, 0, warmUp); err != nil {
			return nil, err
		}
		s.Meet()
		err = readBatches(r, warmUp, f.Frames)
		s.Meet()
		return nil, err
	}
	w, err := f.create(s.Shared)
	if err != nil {
		return nil, err
	}
	clock := newTickClock()
	s.Meet()
	s.Meet()
	err = writeBatches(w, 0, warmUp)
	s.Meet()
	began := clock.now()
	if err == nil {
		err = writeBatches(w, warmUp, f.Frames)
	}
	s.Meet()
	return float64(f.Frames) / clock.ns(clock.now()-began) * 1e9, err
}

// create makes the ring in shared and attaches the one reader to come.
func (f BatchRate) create(shared []byte) (*ring.Writer, error) {
	id := f.identity()
	seg, err := ring.Format(shared[:id.SegmentBytes()], id)
	if err != nil {
		return nil, err
	}
	table, err := ring.FormatTable(shared[id.SegmentBytes():][:proto.TableBytes(id.Slots)], &id, 1)
	if err != nil {
		return nil, err
	}
	cfg := ring.WriterConfig{Sleeper: nap{}, Spin: awake, Asymmetric: ipc.Register(), Barrier: ipc.Barrier}
	w, err := ring.NewWriter(seg, table, cfg)
	if err != nil {
		return nil, err
	}
	_, err = w.Attach(ring.Attach{Start: proto.StartOldest, Asymmetric: cfg.Asymmetric, Barrier: cfg.Asymmetric, Bell: nap{}})
	return w, err
}

// attach is the reader in slot 0.
func (f BatchRate) attach(shared []byte) (*ring.Reader, error) {
	seg, err := ring.Open(shared)
	if err != nil {
		return nil, err
	}
	id := seg.Identity()
	table, err := ring.OpenTable(shared[id.SegmentBytes():][:proto.TableBytes(id.Slots)], id)
	if err != nil {
		return nil, err
	}
	return ring.NewReader(seg, ring.ReaderConfig{
		Table: table, Slot: 0, Generation: 1, Position: id.Start,
		Sleeper: nap{}, WriterBell: nap{}, Spin: awake, Asymmetric: ipc.Register(), Barrier: ipc.Barrier,
	})
}

func writeBatches(w *ring.Writer, first, count int) error {
	ctx := context.Background()
	for i := first; i < first+count; {
		b, err := w.ClaimBatch(ctx, proto.F64, payloadWords, min(batchFrames, first+count-i))
		if err != nil {
			return err
		}
		for j := range b.Len() {
			fillFrame(b.Float64s(j), frameValue(i+j))
		}
		b.Commit()
		i += b.Len()
	}
	return nil
}

func readBatches(r *ring.Reader, first, count int) error {
	ctx, total := context.Background(), 0.0
	for i := first; i < first+count; {
		b, err := r.NextBatch(ctx, min(batchFrames, first+count-i))
		if err != nil {
			return err
		}
		if b.Number(0) != uint64(i) {
			return fmt.Errorf("frame %d came as %d: %w", i, b.Number(0), ErrMismatch)
		}
		for j := range b.Len() {
			total += sumFrame(b.Float64s(j))
		}
		i += b.Len()
	}
	if err := r.Release(); err != nil {
		return err
	}
	if want := valueSum(first, count) * payloadWords; total != want {
		return fmt.Errorf("frames %d to %d sum to %v, not %v: %w", first, first+count, total, want, ErrMismatch)
	}
	return nil
}
