package bench

import (
	"context"
	"fmt"
	"sync/atomic"
)

const (
	roleSlots = "slots"

	slotBytes = 64
	slotCount = 16384

	// cursorOffset is where the reader's position stands, slotsOffset where
	// the slots begin: on another page.
	cursorOffset = 0
	slotsOffset  = 4096

	// cursorEvery frames the reader tells its position.
	cursorEvery = 16

	// payloadWords is the payload of a slot in 8-byte words.
	payloadWords = 5

	// Between two looks in vain each side stays off the other's line for so
	// many PAUSEs, or it would take the line away while it is being written.
	readerPauses = 32
	writerPauses = 64
)

// SlotRing is the ceiling of the small-frame rate: a ring of 16384 slots of 64
// bytes with the sequence word in the slot and nothing else around it. Each
// frame is filled with 40 bytes and summed by the reader. Its sample is
// slot_ring_rate, in million frames a second.
type SlotRing struct {
	Frames int
}

// Name is slot_ring_rate.
func (f SlotRing) Name() string { return "slot_ring_rate" }

// Measure implements Figure.
func (f SlotRing) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats, err := host.Pair(roleSlots, Apart)
	if err != nil {
		return nil, err
	}
	var perSecond float64
	job := Job{Seats: seats, SharedBytes: slotsOffset + slotBytes*slotCount, Params: f}
	if err := host.Carry(ctx, job, &perSecond); err != nil {
		return nil, err
	}
	return []Sample{{Name: f.Name(), Unit: "M/s", Value: perSecond / 1e6}}, nil
}

// slotSide writes as side 0, which returns the frames a second from the first
// store to the reader's last position, and reads as side 1.
func slotSide(s *Side) (any, error) {
	var f SlotRing
	if err := s.Params(&f); err != nil {
		return nil, err
	}
	cursor := word(s.Shared, cursorOffset)
	slots := (*[slotCount]slot)(slotsOf(s.Shared, slotsOffset, slotCount))
	warmUp := uint64(warmUpOf(f.Frames))
	last := warmUp + uint64(f.Frames)
	if s.Index == 1 {
		s.Meet()
		sum := readSlots(cursor, slots, 0, warmUp)
		s.Meet()
		sum += readSlots(cursor, slots, warmUp, last)
		return nil, checkSlotSum(sum, last)
	}
	clock := newTickClock()
	s.Meet()
	writeSlots(cursor, slots, 0, warmUp)
	s.Meet()
	began := clock.now()
	writeSlots(cursor, slots, warmUp, last)
	return float64(f.Frames) / clock.ns(clock.now()-began) * 1e9, nil
}

// writeSlots writes frames first to last-1 and returns when all are read.
func writeSlots(cursor *uint64, slots *[slotCount]slot, first, last uint64) {
	read := first
	for frame := first; frame < last; frame++ {
		if frame-read == slotCount {
			read = awaitRoom(cursor, frame)
		}
		at := &slots[frame%slotCount]
		at[1], at[2] = frame, payloadWords*8
		at[3], at[4], at[5], at[6], at[7] = frame, frame+1, frame+2, frame+3, frame+4
		commitSlot(&at[0], frame+1)
	}
	for atomic.LoadUint64(cursor) != last {
		pause(writerPauses)
	}
}

// awaitRoom returns the reader's position once it leaves room for frame.
func awaitRoom(cursor *uint64, frame uint64) (read uint64) {
	for {
		read = atomic.LoadUint64(cursor)
		if frame-read < slotCount {
			return read
		}
		pause(writerPauses)
	}
}

// readSlots reads frames first to last-1 and returns the sum of their
// payloads.
func readSlots(cursor *uint64, slots *[slotCount]slot, first, last uint64) (sum uint64) {
	for frame := first; frame < last; frame++ {
		at := &slots[frame%slotCount]
		for atomic.LoadUint64(&at[0]) != frame+1 {
			pause(readerPauses)
		}
		sum += at[3] + at[4] + at[5] + at[6] + at[7]
		if (frame+1)%cursorEvery == 0 {
			storeRelease(cursor, frame+1)
		}
	}
	storeRelease(cursor, last)
	return sum
}

// checkSlotSum compares with the sum over all frames of frame … frame+4,
// modulo 2⁶⁴.
func checkSlotSum(sum, frames uint64) error {
	triangle := frames / 2 * (frames - 1)
	if frames%2 == 1 {
		triangle = frames * ((frames - 1) / 2)
	}
	if want := payloadWords*triangle + 10*frames; sum != want {
		return fmt.Errorf("sum of %d frames is %d, not %d: %w", frames, sum, want, ErrMismatch)
	}
	return nil
}
