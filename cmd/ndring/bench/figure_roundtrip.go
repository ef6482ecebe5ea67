package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ndring/ndring/ipc"
)

const roleRoundTrip = "round-trip"

// RingRoundTrip is a frame to and a frame fro over two rings, filled by the one
// who sends and looked at by the one who receives. Each side claims the space of its
// next frame right after a commit, while it has to wait anyway; Late claims it when there
// is something to send. Both sides run under one ipc.Guard. Spinning, it is set against
// LineRoundTrip; parked, with both sides asleep in between, against
// SocketRoundTrip under the same pinning. Its samples are the quantiles
// spinning_rtt_SIZE_*, spinning_rtt_SIZE_late_* or parked_rtt_PLACEMENT_*.
type RingRoundTrip struct {
	RoundTrips   int
	PayloadBytes int  // a multiple of 8
	Late         bool // claim on arrival, not ahead
	Parked       bool
	Placement    Placement // of parked sides; those that spin are apart
}

// Name is spinning_rtt_SIZE, with _late, or parked_rtt_PLACEMENT.
func (f RingRoundTrip) Name() string {
	if f.Parked {
		return "parked_rtt_" + f.Placement.String()
	}
	name := "spinning_rtt_" + sizeName(f.PayloadBytes)
	if f.Late {
		name += "_late"
	}
	return name
}

type roundTripParams struct {
	RingRoundTrip
	Wiring wiring
}

// Measure implements Figure.
func (f RingRoundTrip) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	placement, spin := Apart, time.Duration(awake)
	if f.Parked {
		placement, spin = f.Placement, asleep
	}
	seats, err := host.Pair(roleRoundTrip, placement)
	if err != nil {
		return nil, err
	}
	var q Quantiles
	err = host.carryRings(ctx, Job{Seats: seats, PinLate: !f.Parked}, func(dir string) any {
		return roundTripParams{f, wiring{Dir: dir, Capacity: 1 << 20, Spin: spin}}
	}, &q)
	if err != nil {
		return nil, err
	}
	return q.Samples(f.Name()), nil
}

// roundTripSide sends and awaits frames; side 0 goes first and keeps the time.
func roundTripSide(s *Side) (any, error) {
	var p roundTripParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	d, err := p.Wiring.join(s, "x")
	if err != nil {
		return nil, err
	}
	var reply any
	err = ipc.Guard(func() (err error) {
		reply, err = p.play(s, &d)
		return err
	}, d.out, d.in)
	if err != nil {
		return nil, err
	}
	s.Meet() // nobody hangs up before the other is done
	return reply, nil
}

func (p *roundTripParams) play(s *Side, d *duplex) (any, error) {
	ctx, n := context.Background(), p.PayloadBytes/8
	warmUp := warmUpOf(p.RoundTrips)
	if s.Index == 1 {
		s.Meet()
		for range warmUp + p.RoundTrips {
			value, err := d.receive(ctx)
			if err != nil {
				return nil, err
			}
			if err := p.send(ctx, d, n, value); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	turn := 0.0
	return s.timeRoundTrips(warmUp, p.RoundTrips, func() error {
		turn++
		if err := p.send(ctx, d, n, turn); err != nil {
			return err
		}
		value, err := d.receive(ctx)
		if err == nil && value != turn {
			err = fmt.Errorf("answer %v to %v: %w", value, turn, ErrMismatch)
		}
		return err
	})
}

// send is duplex.send, and claims the space of the next frame unless that is to be late.
func (p *roundTripParams) send(ctx context.Context, d *duplex, n int, value float64) error {
	err := d.send(ctx, n, value)
	if err == nil && !p.Late {
		err = d.ahead(ctx, n)
	}
	return err
}

// sizeName writes a size as names of measurements have it: 40B, 1KiB, 64MiB.
func sizeName(bytes int) string {
	for _, unit := range []struct {
		bytes int
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if bytes >= unit.bytes && bytes%unit.bytes == 0 {
			return strconv.Itoa(bytes/unit.bytes) + unit.name
		}
	}
	return strconv.Itoa(bytes) + "B"
}
