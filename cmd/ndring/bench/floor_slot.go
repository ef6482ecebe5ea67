package bench

import "context"

const roleSlotTrip = "slot-trip"

// SlotRoundTrip is LineRoundTrip with slots of the bare ring in the place of a word:
// each frame is 40 bytes on a line of its own, and the line after it is taken to zero
// its sequence word, as in a ring of frames that vary in length. It tells what the line
// that moves on costs from what the ring's calls cost. Its samples are the quantiles
// slot_rtt_*.
type SlotRoundTrip struct {
	RoundTrips int
}

// Name is slot_rtt.
func (f SlotRoundTrip) Name() string { return "slot_rtt" }

// Measure implements Figure.
func (f SlotRoundTrip) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats, err := host.Pair(roleSlotTrip, Apart)
	if err != nil {
		return nil, err
	}
	var q Quantiles
	if err := host.Carry(ctx, Job{Seats: seats, SharedBytes: 2 * slotBytes * slotCount, Params: f}, &q); err != nil {
		return nil, err
	}
	return q.Samples(f.Name()), nil
}

// slotTripSide sends and awaits slots; side 0 goes first and keeps the time.
func slotTripSide(s *Side) (any, error) {
	var f SlotRoundTrip
	if err := s.Params(&f); err != nil {
		return nil, err
	}
	all := slotsOf(s.Shared, 0, 2*slotCount)
	rings := [2]*[slotCount]slot{(*[slotCount]slot)(all), (*[slotCount]slot)(all[slotCount:])}
	mine, theirs := rings[s.Index], rings[1-s.Index]
	warmUp := warmUpOf(f.RoundTrips)
	last := uint64(warmUp + f.RoundTrips)
	if s.Index == 1 {
		s.Meet()
		for frame := range last {
			value := takeSlot(theirs, frame)
			passSlot(mine, frame, value)
		}
		return nil, nil
	}
	frame := uint64(0)
	return s.timeRoundTrips(warmUp, f.RoundTrips, func() error {
		passSlot(mine, frame, frame)
		if takeSlot(theirs, frame) != frame {
			return ErrMismatch
		}
		frame++
		return nil
	})
}

// passSlot fills the slot of frame and makes it visible.
func passSlot(slots *[slotCount]slot, frame, value uint64) {
	slots[(frame+1)%slotCount][0] = 0
	at := &slots[frame%slotCount]
	at[1], at[2] = frame, payloadWords*8
	at[3], at[4], at[5], at[6], at[7] = value, value, value, value, value
	commitSlot(&at[0], frame+1)
}

// takeSlot awaits the slot of frame and returns its first value if it is the last too.
func takeSlot(slots *[slotCount]slot, frame uint64) uint64 {
	at := &slots[frame%slotCount]
	awaitSpinning(&at[0], frame+1)
	if at[3] != at[7] {
		return ^frame
	}
	return at[3]
}
