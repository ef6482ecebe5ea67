package bench

import (
	"context"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

const roleRate = "rate"

// RingRate is how many frames a second pass through a ring from one process to
// another, with one claim and one lease for each, or for Batch of them. Its samples are NAME in million
// frames a second and, from 1 KiB on, NAME_bytes in GB of payload a second.
type RingRate struct {
	Frames       int
	PayloadBytes int // a multiple of 8
	Touch        bool
	Capacity     uint64
	Batch        int // frames claimed and leased at once; 0 = each by itself
	Memory       ipc.Memory
	Optional     bool   // an error of the processes means that this machine cannot
	Label        string // the name, if not frames_SIZE_untouched or frames_SIZE_touched
}

// Name is the label.
func (f RingRate) Name() string {
	if f.Label != "" {
		return f.Label
	}
	touch := "untouched"
	if f.Touch {
		touch = "touched"
	}
	name := "frames_" + sizeName(f.PayloadBytes) + "_" + touch
	if f.Batch > 0 {
		name += "_batch"
	}
	return name
}

type rateParams struct {
	RingRate
	Wiring wiring
}

// Measure implements Figure.
func (f RingRate) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	if err := host.roomFor(f.Capacity); err != nil {
		return nil, err
	}
	seats, err := host.Pair(roleRate, Apart)
	if err != nil {
		return nil, err
	}
	var perSecond float64
	err = host.carryRings(ctx, Job{Seats: seats, PinLate: true}, func(dir string) any {
		return rateParams{f, wiring{Dir: dir, Capacity: f.Capacity, Spin: awake, Memory: f.Memory}}
	}, &perSecond)
	if err != nil && f.Optional && ctx.Err() == nil {
		return nil, fmt.Errorf("%w: %w", ErrSkipped, err)
	}
	if err != nil {
		return nil, err
	}
	return rateSamples(f.Name(), perSecond, f.PayloadBytes), nil
}

// rateSamples gives the bytes as well where they mean something.
func rateSamples(name string, perSecond float64, payloadBytes int) []Sample {
	samples := []Sample{{Name: name, Unit: "M/s", Value: perSecond / 1e6}}
	if payloadBytes >= 1<<10 {
		samples = append(samples, Sample{Name: name + "_bytes", Unit: "GB/s", Value: perSecond * float64(payloadBytes) / 1e9})
	}
	return samples
}

// rateSide writes as side 0, which returns the frames a second from the first
// claim to the reader's last release, and reads as side 1.
func rateSide(s *Side) (any, error) {
	var p rateParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	warmUp := warmUpOf(p.Frames)
	if s.Index == 1 {
		in, err := p.Wiring.dial("x")
		if err != nil {
			return nil, err
		}
		s.Meet()
		err = p.read(in, 0, warmUp)
		s.Meet()
		if err == nil {
			err = p.read(in, warmUp, p.Frames)
		}
		s.Meet()
		return nil, err
	}
	out, err := p.Wiring.listen("x")
	if err != nil {
		return nil, err
	}
	clock := newTickClock()
	s.Meet()
	err = p.write(out, 0, warmUp)
	s.Meet()
	began := clock.now()
	if err == nil {
		err = p.write(out, warmUp, p.Frames)
	}
	s.Meet()
	return float64(p.Frames) / clock.ns(clock.now()-began) * 1e9, err
}

// write writes count frames; frame i is filled with frameValue(i).
func (p *rateParams) write(w *ipc.Writer, first, count int) error {
	if p.Batch > 0 {
		return p.writeBatches(w, first, count)
	}
	ctx, n := context.Background(), p.PayloadBytes/8
	for i := first; i < first+count; i++ {
		c, err := w.Claim(ctx, proto.F64, n)
		if err != nil {
			return err
		}
		if p.Touch {
			fillFrame(c.Float64s(), frameValue(i))
		}
		c.Commit()
	}
	return nil
}

// read reads count frames and checks their number and, if touched, their sum.
func (p *rateParams) read(r *ipc.Reader, first, count int) error {
	if p.Batch > 0 {
		return p.readBatches(r, first, count)
	}
	ctx, n, total := context.Background(), p.PayloadBytes/8, 0.0
	for i := first; i < first+count; i++ {
		f, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if f.Number() != uint64(i) {
			return fmt.Errorf("frame %d came as %d: %w", i, f.Number(), ErrMismatch)
		}
		if p.Touch {
			total += sumFrame(f.Float64s())
		}
	}
	if err := r.Release(); err != nil {
		return err
	}
	return p.check(total, first, count, n)
}

func (p *rateParams) check(total float64, first, count, n int) error {
	if want := valueSum(first, count) * float64(n); p.Touch && total != want {
		return fmt.Errorf("frames %d to %d sum to %v, not %v: %w", first, first+count, total, want, ErrMismatch)
	}
	return nil
}
