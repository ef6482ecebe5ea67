package main

import (
	"encoding/binary"
	"fmt"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// A link is one end of a connection over which two processes send each other
// frames. What the measuring loops do is the same for every peer; what a peer
// does for one frame lies behind these methods. An end belongs to one
// goroutine.
type link interface {
	// buffer returns n bytes, 8-aligned, for the next frame, to be filled
	// before send. Where the transport copies it is the same memory each time,
	// with what was filled in before; where it does not, it is the memory the
	// receiver will see, and what it holds is left over from other frames.
	buffer(n int) ([]byte, error)

	// send sends what buffer returned last and may block until there is room.
	send() error

	// flush sends what the link has collected. A link that passes frames on
	// unasked does nothing here.
	flush() error

	// receive blocks for the next frame. Its bytes, 8-aligned, are valid until
	// the next receive.
	receive() ([]byte, error)

	// close waits until the other end has what was sent, as far as it must,
	// and ends the connection.
	close() error
}

// An end is what connect needs to know.
type end struct {
	*bench.Side
	dir        string // of this job alone; on tmpfs
	frameBytes int    // of the frames of this job; control frames are smaller
}

// peer names who dials and who listens: side 0 measures, as a client would.
func (e end) isCaller() bool { return e.Index == 0 }

// underWayBytes is how much may be sent and not yet received, wherever a
// transport lets its user choose: the capacity of the ring, the high-water
// mark of a queue.
const underWayBytes = 16 << 20

// window is underWayBytes in frames, at least 16 and at most most.
func (e end) window(most int) int {
	return max(16, min(most, underWayBytes/e.frameBytes))
}

// Every frame begins with its number, and two bits of the number say what it
// is besides.
const (
	numberBytes = 8
	lastFlag    = 1 << 63 // the last frame of a phase; the receiver answers it
	creditFlag  = 1 << 62 // no frame but a credit, see credited
)

func number(frame []byte) uint64       { return binary.LittleEndian.Uint64(frame) }
func setNumber(frame []byte, n uint64) { binary.LittleEndian.PutUint64(frame, n) }
func errNumber(got, want uint64) error {
	return fmt.Errorf("frame %#x arrived in place of %#x: %w", got, want, bench.ErrMismatch)
}
func errLength(got, want int) error {
	return fmt.Errorf("frame of %d bytes arrived in place of %d: %w", got, want, bench.ErrMismatch)
}
func errShort(lenBytes int) error {
	return fmt.Errorf("frame of %d bytes has no number: %w", lenBytes, bench.ErrMismatch)
}
func isLast(frame []byte) bool { return number(frame)&lastFlag != 0 }
func sendNumber(l link, n uint64, lenBytes int) error {
	b, err := l.buffer(lenBytes)
	if err != nil {
		return err
	}
	setNumber(b, n)
	if err := l.send(); err != nil {
		return err
	}
	return l.flush()
}
