package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

const roleRoundTrip = "round-trip"

// RingRoundTrip is a frame to and a frame fro over two rings, filled by the one
// who sends and summed by the one who receives. Spinning, it is set against
// LineRoundTrip; parked, with both sides asleep in between, against
// SocketRoundTrip under the same pinning. Its samples are the quantiles
// spinning_rtt_SIZE_* or parked_rtt_PLACEMENT_*.
type RingRoundTrip struct {
	RoundTrips   int
	PayloadBytes int // a multiple of 8
	Parked       bool
	Placement    Placement // of parked sides; those that spin are apart
}

// Name is spinning_rtt_SIZE or parked_rtt_PLACEMENT.
func (f RingRoundTrip) Name() string {
	if f.Parked {
		return "parked_rtt_" + f.Placement.String()
	}
	return "spinning_rtt_" + sizeName(f.PayloadBytes)
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
	reply, err := p.play(s, &d)
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
			if err := d.send(ctx, n, value); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	turn := 0.0
	return s.timeRoundTrips(warmUp, p.RoundTrips, func() error {
		turn++
		if err := d.send(ctx, n, turn); err != nil {
			return err
		}
		value, err := d.receive(ctx)
		if err == nil && value != turn {
			err = fmt.Errorf("answer %v to %v: %w", value, turn, ErrMismatch)
		}
		return err
	})
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
