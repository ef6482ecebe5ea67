package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
)

const (
	roleClient = "bridge-client"
	roleBridge = "bridge"
	roleRelay  = "bridge-stage"
)

// Bridge is a TCP client on loopback that sends chunks of five float64 to a bridge
// and takes PRIMARY and DELTA: as fast as they go, and one after the other. The
// bridge computes by itself, or a stage in a third process computes behind two
// rings. Its samples are bridge_chunks or bridge_stage_chunks in chunks a second,
// and the quantiles bridge_rtt_* or bridge_stage_rtt_*.
type Bridge struct {
	Chunks     int
	RoundTrips int
	Stage      bool // three processes
}

// Name is bridge or bridge_stage.
func (f Bridge) Name() string {
	if f.Stage {
		return "bridge_stage"
	}
	return "bridge"
}

type bridgeParams struct {
	Bridge
	Wiring wiring
}

// bridgeReply is what the client measured.
type bridgeReply struct {
	PerSecond float64
	RoundTrip Quantiles
}

// Measure implements Figure. A client and a bridge are pinned to a CPU each; with
// a stage besides nothing is.
func (f Bridge) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats := []Seat{{roleClient, host.cpu(0)}, {roleBridge, host.cpu(1)}}
	if f.Stage {
		seats = []Seat{{roleClient, Unpinned}, {roleBridge, Unpinned}, {roleRelay, Unpinned}}
	}
	var reply bridgeReply
	err := host.carryRings(ctx, Job{Seats: seats, SharedBytes: 8}, func(dir string) any {
		return bridgeParams{f, wiring{Dir: dir, Capacity: 16 << 20}}
	}, &reply)
	if err != nil {
		return nil, err
	}
	rate := Sample{Name: f.Name() + "_chunks", Unit: "/s", Value: reply.PerSecond}
	return append([]Sample{rate}, reply.RoundTrip.Samples(f.Name()+"_rtt")...), nil
}

// bridgeSide serves until the client is done. It tells its port in the shared
// word.
func bridgeSide(s *Side) (any, error) {
	var p bridgeParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	cfg, err := p.config()
	if err != nil {
		return nil, err
	}
	b, err := bridge.New(cfg)
	if err != nil {
		return nil, err
	}
	return nil, s.serve(func(ctx context.Context, l net.Listener) error { return b.Serve(ctx, l) })
}

// serve runs a server on a free port until the sides have met three times.
func (s *Side) serve(server func(context.Context, net.Listener) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server(ctx, l) }()
	atomic.StoreUint64(word(s.Shared, 0), uint64(l.Addr().(*net.TCPAddr).Port))
	over := make(chan struct{})
	go func() {
		for range stageMeetings {
			s.Meet()
		}
		close(over)
	}()
	select {
	case err := <-failed:
		return errors.Join(err, net.ErrClosed)
	case <-over:
		return nil
	}
}

// call connects to the server of the job.
func (s *Side) call() (net.Conn, error) {
	return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", atomic.LoadUint64(word(s.Shared, 0))))
}

func (p *bridgeParams) config() (cfg bridge.Config, err error) {
	if !p.Stage {
		cfg.Kernel, err = kernel.New("arcsec", kernel.Params{})
		return cfg, err
	}
	to, err := p.Wiring.listen(chunkRing)
	if err != nil {
		return cfg, err
	}
	from, err := p.Wiring.dial(resultRing)
	cfg.To, cfg.From = to, from
	return cfg, err
}

// relaySide is the stage behind the bridge.
func relaySide(s *Side) (any, error) {
	var p bridgeParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	return nil, p.Wiring.compute(s)
}

// The seed's chunk on the wire, and its results.
const (
	chunkBytes   = proto.SeedChunkHeadBytes + 8*payloadWords
	resultBytes  = proto.SeedResultHeadBytes + 8*payloadWords
	answerBytes  = 2 * resultBytes // PRIMARY and DELTA
	chunksAtOnce = 1024            // in one write of a client that streams
)

// clientSide measures the rate on one connection, then round trips on another.
func clientSide(s *Side) (any, error) {
	var p bridgeParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	s.Meet() // the bridge listens
	var reply bridgeReply
	var err error
	if reply.PerSecond, err = streamChunks(s, p.Chunks); err != nil {
		return nil, err
	}
	if reply.RoundTrip, err = echoChunks(s, p.RoundTrips, answerBytes); err != nil {
		return nil, err
	}
	s.Meet()
	return reply, nil
}

// chunks are n chunks as a client sends them.
func chunks(n int) []byte {
	var b []byte
	for range n {
		b = proto.AppendChunkHead(b, 8*payloadWords)
		for i := range payloadWords {
			b = binary.LittleEndian.AppendUint64(b, uint64(0x3ff8+i)<<48) // 1.5 and up
		}
	}
	return b
}

// streamChunks sends count chunks in large writes and takes all results.
func streamChunks(s *Side, count int) (perSecond float64, err error) {
	conn, err := s.call()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	clock, block := newTickClock(), chunks(chunksAtOnce)
	rounds := count/chunksAtOnce + 1
	began := clock.now()
	sent := make(chan error, 1)
	go func() {
		var err error
		for range rounds {
			if _, err = conn.Write(block); err != nil {
				break
			}
		}
		sent <- err
	}()
	err = takeResults(conn, rounds*chunksAtOnce)
	took := clock.ns(clock.now() - began)
	return float64(rounds*chunksAtOnce) / took * 1e9, errors.Join(err, <-sent)
}

// takeResults reads the results of count chunks and checks where the last one
// stands.
func takeResults(conn net.Conn, count int) error {
	left := resultBytes + (count-1)*answerBytes
	buffer := make([]byte, 256<<10)
	for left > answerBytes {
		n, err := conn.Read(buffer[:min(len(buffer), left-answerBytes)])
		if err != nil {
			return err
		}
		left -= n
	}
	if _, err := io.ReadFull(conn, buffer[:left]); err != nil {
		return err
	}
	head, err := proto.DecodeResultHead(buffer[resultBytes:])
	if err == nil && (head.Sequence != uint32(count) || head.Role != proto.RoleDelta) {
		err = fmt.Errorf("last result of %d chunks is of sequence %d and role %d: %w", count, head.Sequence, head.Role, ErrMismatch)
	}
	return err
}

// echoChunks sends one chunk after the other, each when the answer to the one
// before is there. The first answer may be shorter: it comes before.
func echoChunks(s *Side, timed, answer int) (Quantiles, error) {
	conn, err := s.call()
	if err != nil {
		return Quantiles{}, err
	}
	defer conn.Close()
	chunk, buffer := chunks(1), make([]byte, answer)
	if _, err := conn.Write(chunk); err != nil {
		return Quantiles{}, err
	}
	if _, err := io.ReadFull(conn, buffer[:min(answer, resultBytes)]); err != nil {
		return Quantiles{}, err
	}
	return s.timeRoundTrips(warmUpOf(timed), timed, func() error {
		if _, err := conn.Write(chunk); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, buffer)
		return err
	})
}
