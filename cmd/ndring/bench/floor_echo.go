package bench

import (
	"context"
	"errors"
	"io"
	"net"
)

const (
	roleEcho   = "echo"
	roleCaller = "echo-client"
)

// TCPEcho is the floor of a bridge's round trip: the seed's chunk sent over TCP on
// loopback and sent back as it is by the plainest Go server, client and server
// pinned to a CPU each, as they are with Bridge. Its samples are the quantiles
// tcp_echo_rtt_*.
type TCPEcho struct {
	RoundTrips int
}

// Name is tcp_echo_rtt.
func (f TCPEcho) Name() string { return "tcp_echo_rtt" }

// Measure implements Figure.
func (f TCPEcho) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats := []Seat{{roleCaller, host.cpu(0)}, {roleEcho, host.cpu(1)}}
	var q Quantiles
	if err := host.Carry(ctx, Job{Seats: seats, SharedBytes: 8, Params: f}, &q); err != nil {
		return nil, err
	}
	return q.Samples(f.Name()), nil
}

// callerSide keeps the time.
func callerSide(s *Side) (any, error) {
	var f TCPEcho
	if err := s.Params(&f); err != nil {
		return nil, err
	}
	s.Meet() // the server listens
	q, err := echoChunks(s, f.RoundTrips, chunkBytes)
	if err != nil {
		return nil, err
	}
	s.Meet()
	return q, nil
}

// echoSide sends back what it gets, to one client.
func echoSide(s *Side) (any, error) {
	return nil, s.serve(func(_ context.Context, l net.Listener) error {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		buffer := make([]byte, chunkBytes)
		for {
			if _, err := io.ReadFull(conn, buffer); errors.Is(err, io.EOF) {
				select {} // the client is done, and so is the job soon
			} else if err != nil {
				return err
			}
			if _, err := conn.Write(buffer); err != nil {
				return err
			}
		}
	})
}
