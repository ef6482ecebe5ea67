//go:build linux

package ipc

import (
	"errors"
	"fmt"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

var (
	// ErrNoRing is returned when nobody serves a ring of the name asked for, or who does
	// hangs up before it answers, and the caller does not want to wait for another.
	ErrNoRing = errors.New("no such ring")
	// ErrWriterAlive is returned by Listen when another process writes the ring.
	// A *HeldError in its chain names that process.
	ErrWriterAlive = errors.New("ring has a writer already")
	// ErrWriterLost is returned by a reader when the writer went away without
	// ending the ring and no writer took it up again in time. Every frame that
	// was committed has been delivered before.
	ErrWriterLost = errors.New("writer lost")
	// ErrRefused is returned when the writer does not accept a client. A
	// *RefusedError in its chain holds the code.
	ErrRefused = errors.New("refused by the ring's writer")
	// ErrNameInUse is returned when a live reader of the ring has the name asked for.
	ErrNameInUse = errors.New("a live reader has this name")
	// ErrDenied is returned when the ring is another user's, or does not serve this
	// sort of reader.
	ErrDenied = errors.New("not for this client")
	// ErrEvicted is returned when the writer took the reader's slot away because
	// it was too slow or broke the protocol.
	ErrEvicted = ring.ErrEvicted
	// ErrDir is returned when the ring directory cannot be trusted or used.
	ErrDir = errors.New("unusable ring directory")
	// ErrFile is returned when a ring's file is not what it must be: a regular
	// file of this user, with one name and of the size its header states.
	ErrFile = errors.New("unusable ring file")
	// ErrNoSpace is returned when the file system or the memory limit of the
	// control group cannot hold the ring.
	ErrNoSpace = errors.New("not enough memory for the ring")
	// ErrMismatch is returned by Listen when a ring with frames in it is left
	// over from an earlier writer and differs from the one asked for.
	ErrMismatch = errors.New("left-over ring differs")
	// ErrLeftover is returned by Listen when what an earlier writer left is damaged,
	// or is no ring. Another error in the chain says how.
	ErrLeftover = errors.New("what an earlier writer left cannot be continued, only recreated")
	// ErrSegmentLost is returned when memory of the ring is not there any more: a
	// process of the same user cut its files short, or the file system has no page
	// left for a hole punched into them. The ring cannot be used again.
	ErrSegmentLost = ring.ErrSegmentLost
	// ErrHandshake is returned when a peer breaks the protocol of the control
	// socket.
	ErrHandshake = errors.New("protocol violation on the control socket")
)

// HeldError says which process holds a ring's writer lock.
type HeldError struct {
	Ring string
	PID  int // 0 when the holder has not written its pid yet
}

// Error names the ring and the process.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("ring %q: its lock is held by another process", e.Ring)
	}
	return fmt.Sprintf("ring %q: its lock is held by pid %d", e.Ring, e.PID)
}

// Unwrap returns ErrWriterAlive.
func (e *HeldError) Unwrap() error { return ErrWriterAlive }

// RefusedError is a writer's refusal.
type RefusedError struct {
	Code     proto.Code
	Position uint64 // for CodePosition: the oldest position there is
	Sentence string
}

// Error returns the writer's sentence.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s (code %d)", e.Sentence, e.Code)
}

// Unwrap returns ErrRefused and, where the code has an error of its own, that one.
func (e *RefusedError) Unwrap() []error {
	switch e.Code {
	case proto.CodeVersion:
		return []error{ErrRefused, proto.ErrVersion}
	case proto.CodeNameInUse:
		return []error{ErrRefused, ErrNameInUse}
	case proto.CodeTableFull:
		return []error{ErrRefused, ring.ErrTableFull}
	case proto.CodePosition:
		return []error{ErrRefused, ring.ErrNoPosition}
	case proto.CodeDenied:
		return []error{ErrRefused, ErrDenied}
	default:
		return []error{ErrRefused}
	}
}
