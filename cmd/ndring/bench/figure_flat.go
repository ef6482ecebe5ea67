package bench

import (
	"context"
	"fmt"
)

const roleFlat = "flat"

// flatFrames is how many large frames take as much as a ring. In a ring of four every
// third frame comes with padding up to the wrap, a line more to hand over: the median
// would tell of those that do not, and of the third that does.
const flatFrames = 8

// flatBlocks is how often the two sizes take turns within a round.
const flatBlocks = 4

// FlatSize is the hand-over of a frame whose payload nobody touches, small and
// large in turn within one pair of processes: half of a round trip in which both
// directions carry the same size, both sides spinning, everything mapped, faulted
// in and used before. Each side claims the space of its next frame while it waits. Its
// samples are handover_SIZE_p50 and so on.
type FlatSize struct {
	RoundTrips             int // of each size
	SmallBytes, LargeBytes int // multiples of 8
}

// Name is handover.
func (f FlatSize) Name() string { return "handover" }

type flatParams struct {
	FlatSize
	Small, Large wiring
}

// Measure implements Figure.
func (f FlatSize) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	capacity := uint64(flatFrames * f.LargeBytes)
	if err := host.roomFor(2 * capacity); err != nil {
		return nil, err
	}
	seats, err := host.Pair(roleFlat, Apart)
	if err != nil {
		return nil, err
	}
	var q [2]Quantiles
	err = host.carryRings(ctx, Job{Seats: seats, PinLate: true}, func(dir string) any {
		return flatParams{f, wiring{Dir: dir, Spin: awake, Capacity: 1 << 20}, wiring{Dir: dir, Spin: awake, Capacity: capacity}}
	}, &q)
	if err != nil {
		return nil, err
	}
	return append(q[0].half().Samples("handover_"+sizeName(f.SmallBytes)), q[1].half().Samples("handover_"+sizeName(f.LargeBytes))...), nil
}

// half is one way of a round trip.
func (q Quantiles) half() Quantiles { return Quantiles{q.P50 / 2, q.P99 / 2, q.P999 / 2} }

// flatSide plays both sizes in turn; side 0 keeps the time.
func flatSide(s *Side) (any, error) {
	var p flatParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	small, err := p.Small.join(s, "small")
	if err != nil {
		return nil, err
	}
	large, err := p.Large.join(s, "large")
	if err != nil {
		return nil, err
	}
	var times [2][]float64
	for range flatBlocks {
		for i, d := range []*duplex{&small, &large} {
			n := []int{p.SmallBytes, p.LargeBytes}[i] / 8
			block, err := p.block(s, d, n)
			if err != nil {
				return nil, err
			}
			times[i] = append(times[i], block...)
		}
	}
	s.Meet()
	var q [2]Quantiles
	for i := range q {
		if q[i], err = NewQuantiles(times[i]); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// block passes frames of n values to and fro and returns the times of side 0.
func (p *flatParams) block(s *Side, d *duplex, n int) ([]float64, error) {
	ctx := context.Background()
	timed := p.RoundTrips/flatBlocks + 1
	warmUp := warmUpOf(timed)
	if s.Index == 0 {
		return s.collectRoundTrips(warmUp, timed, func() error {
			if err := d.pass(ctx, n); err != nil {
				return err
			}
			return d.take(ctx, n)
		})
	}
	s.Meet()
	for range warmUp + timed {
		if err := d.take(ctx, n); err != nil {
			return nil, err
		}
		if err := d.pass(ctx, n); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// pass commits a frame of n values as it is, and claims the next one.
func (d *duplex) pass(ctx context.Context, n int) error {
	c, err := d.claim(ctx, n)
	if err != nil {
		return err
	}
	c.Commit()
	return d.ahead(ctx, n)
}

// take awaits a frame of n values; the next call releases it.
func (d *duplex) take(ctx context.Context, n int) error {
	f, err := d.in.Next(ctx)
	if err != nil {
		return err
	}
	if len(f.Payload()) != 8*n {
		return fmt.Errorf("frame of %d bytes, not %d: %w", len(f.Payload()), 8*n, ErrMismatch)
	}
	return nil
}
