package bench

import "context"

const (
	roleLine = "line"

	// lineStride keeps the two words apart: two lines, for the hardware
	// fetches lines in pairs.
	lineStride = 128
)

// LineRoundTrip is the floor of a spinning round trip: one word a direction,
// each on a line of its own, written by a release store and awaited with
// PAUSE. Its samples are the quantiles line_rtt_*.
type LineRoundTrip struct {
	RoundTrips int
}

// Name is line_rtt.
func (f LineRoundTrip) Name() string { return "line_rtt" }

// Measure implements Figure.
func (f LineRoundTrip) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats, err := host.Pair(roleLine, Apart)
	if err != nil {
		return nil, err
	}
	var q Quantiles
	if err := host.Carry(ctx, Job{Seats: seats, SharedBytes: 2 * lineStride, Params: f}, &q); err != nil {
		return nil, err
	}
	return q.Samples(f.Name()), nil
}

// lineSide counts its word up; side 0 goes first and keeps the time.
func lineSide(s *Side) (any, error) {
	var f LineRoundTrip
	if err := s.Params(&f); err != nil {
		return nil, err
	}
	mine, theirs := word(s.Shared, s.Index*lineStride), word(s.Shared, (1-s.Index)*lineStride)
	warmUp := warmUpOf(f.RoundTrips)
	last := uint64(warmUp + f.RoundTrips)
	if s.Index == 1 {
		s.Meet()
		for turn := uint64(1); turn <= last; turn++ {
			awaitSpinning(theirs, turn)
			storeRelease(mine, turn)
		}
		return nil, nil
	}
	var turn uint64
	return s.timeRoundTrips(warmUp, f.RoundTrips, func() error {
		turn++
		storeRelease(mine, turn)
		awaitSpinning(theirs, turn)
		return nil
	})
}

// awaitSpinning returns when p holds want. The loop in assembly is short and
// can be stopped at each call, so that the collector need not wait for a peer.
func awaitSpinning(p *uint64, want uint64) {
	const looks = 64
	for !awaitWord(p, want, looks) {
	}
}
