package ring

import "errors"

var (
	// ErrClaimOpen is returned when a claim is made while another one of the same
	// writer is neither committed nor aborted.
	ErrClaimOpen = errors.New("a claim is open already")
	// ErrFrameTooLarge is returned when a payload is larger than the ring's frame
	// limit, or a group larger than half its capacity.
	ErrFrameTooLarge = errors.New("frame too large")
	// ErrDropped is returned when the ring is full and its policy is to drop the
	// newest frame. The drop is counted.
	ErrDropped = errors.New("ring is full, frame dropped")
	// ErrFinished is returned when a frame is claimed after Finish.
	ErrFinished = errors.New("ring has ended")
	// ErrCorrupt is returned when the bytes of the ring break the layout: its
	// writer, or another process of the same user, wrote what it must not.
	ErrCorrupt = errors.New("ring is corrupt")
	// ErrKind is returned when a frame is of a kind that this version does not know
	// and must not skip.
	ErrKind = errors.New("unknown kind of frame")
	// ErrEvicted is returned when the writer stopped waiting for this reader: what
	// it looked at may have been overwritten.
	ErrEvicted = errors.New("reader was evicted")
	// ErrTableFull is returned when no reader slot is free.
	ErrTableFull = errors.New("reader table is full")
	// ErrNoPosition is returned when a position is not the start of a frame in the
	// ring.
	ErrNoPosition = errors.New("no frame starts at that position")
	// ErrSlot is returned when a slot, or its generation, is not the caller's.
	ErrSlot = errors.New("no such reader slot")
	// ErrSegmentLost is returned when memory of the ring is not there any more:
	// another process of the same user cut its file short, or the file system has no
	// page left for a hole punched into it.
	ErrSegmentLost = errors.New("memory of the ring is lost")
	// ErrMemory is returned when a slice is not aligned or sized for a segment or
	// reader table.
	ErrMemory = errors.New("memory does not fit")
)
