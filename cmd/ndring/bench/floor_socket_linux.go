package bench

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

const (
	roleSocket = "socket"

	// doorbellBytes is the size of a message: one position.
	doorbellBytes = 8
)

// SocketRoundTrip is the floor of a parked round trip: an 8-byte message to
// and fro over a SOCK_SEQPACKET pair, by plain blocking read(2) and write(2)
// without the netpoller, both sides on one CPU or on one each. Its samples are
// the quantiles seqpacket_rtt_one_cpu_* or seqpacket_rtt_two_cpus_*.
type SocketRoundTrip struct {
	RoundTrips int
	Placement  Placement
}

// Name is seqpacket_rtt_one_cpu or seqpacket_rtt_two_cpus.
func (f SocketRoundTrip) Name() string { return "seqpacket_rtt_" + f.Placement.String() }

// Measure implements Figure.
func (f SocketRoundTrip) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats, err := host.Pair(roleSocket, f.Placement)
	if err != nil {
		return nil, err
	}
	var q Quantiles
	if err := host.Carry(ctx, Job{Seats: seats, Sockets: true, Params: f}, &q); err != nil {
		return nil, err
	}
	return q.Samples(f.Name()), nil
}

// socketSide sends and awaits messages; side 0 goes first and keeps the time.
func socketSide(s *Side) (any, error) {
	var f SocketRoundTrip
	if err := s.Params(&f); err != nil {
		return nil, err
	}
	var message [doorbellBytes]byte
	warmUp := warmUpOf(f.RoundTrips)
	if s.Index == 1 {
		s.Meet()
		for range warmUp + f.RoundTrips {
			if err := receive(s.Socket, message[:]); err != nil {
				return nil, err
			}
			if err := send(s.Socket, message[:]); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	return s.timeRoundTrips(warmUp, f.RoundTrips, func() error {
		if err := send(s.Socket, message[:]); err != nil {
			return err
		}
		return receive(s.Socket, message[:])
	})
}

// send writes one message.
func send(fd int, message []byte) error {
	for {
		n, err := unix.Write(fd, message)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n != len(message) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("send a message: %w", err)
		}
		return nil
	}
}

// receive blocks for one message.
func receive(fd int, message []byte) error {
	for {
		n, err := unix.Read(fd, message)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n != len(message) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("receive a message: %w", err)
		}
		return nil
	}
}
