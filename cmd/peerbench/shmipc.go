package main

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudwego/shmipc-go"
)

const (
	shmipcQueue      = 8192 // frames a queue holds, its default
	shmipcSilent     = 5    // log level; it logs to stdout otherwise
	shmipcSliceHead  = 20   // bytes it keeps before each slice
	shmipcPrefix     = 8    // length and padding of a frame
	shmipcMostPad    = 7    // before a frame in its slice, to align it
	shmipcSliceAlign = 64
	shmipcStartTime  = 10 * time.Second
)

// shmStream is a stream of shmipc-go: a frame is written into a slice of
// shared memory and read in place, and only its place travels.
type shmStream struct {
	session  *shmipc.Session
	stream   *shmipc.Stream // side 1: nil before the first frame arrived
	manager  *shmipc.SessionManager
	isCaller bool
}

// shmipcConfig has slices as large as a frame, so that each is contiguous,
// and twice underWayBytes of them, since both directions share the memory.
func shmipcConfig(e end) *shmipc.Config {
	cfg := shmipc.DefaultConfig()
	cfg.LogOutput = os.Stderr
	cfg.InitializeTimeout = shmipcStartTime // 1 s by default, too little on a busy machine
	cfg.QueueCap = shmipcQueue
	cfg.QueuePath = filepath.Join(e.dir, "queue")
	cfg.ShareMemoryPathPrefix = filepath.Join(e.dir, "memory")
	cfg.ShareMemoryBufferCap = 2*underWayBytes + 1<<20
	slice := shmipcSliceHead + shmipcPrefix + e.frameBytes + shmipcMostPad
	slice = (slice + shmipcSliceAlign - 1) / shmipcSliceAlign * shmipcSliceAlign
	cfg.BufferSliceSizes = []*shmipc.SizePercentPair{{Size: uint32(slice - shmipcSliceHead), Percent: 100}}
	return cfg
}

// connectShmipc serves as side 1. Credits keep the sender from running out of
// slices, after which a stream falls back to its socket for good, and from a
// full queue, where it sleeps for 10 ms.
func connectShmipc(e end) (link, error) {
	shmipc.SetLogLevel(shmipcSilent)
	window := e.window(shmipcQueue / 2)
	if e.isCaller() {
		l, err := openShmipc(e)
		return withCredit(l, window), err
	}
	conn, err := unixConn(e)
	if err != nil {
		return nil, err
	}
	session, err := shmipc.Server(conn, shmipcConfig(e))
	return withCredit(&shmStream{session: session}, window), err
}

func openShmipc(e end) (*shmStream, error) {
	e.Meet() // the server listens
	cfg := shmipc.DefaultSessionManagerConfig()
	cfg.Config = shmipcConfig(e)
	cfg.Network, cfg.Address = "unix", filepath.Join(e.dir, unixSocketFile)
	manager, err := shmipc.NewSessionManager(cfg)
	if err != nil {
		return nil, err
	}
	stream, err := manager.GetStream()
	return &shmStream{stream: stream, manager: manager, isCaller: true}, err
}

func (s *shmStream) buffer(n int) ([]byte, error) {
	slice, err := s.stream.BufferWriter().Reserve(shmipcPrefix + shmipcMostPad + n)
	if err != nil {
		return nil, err
	}
	pad := (8 - misalignment(slice)) % 8
	binary.LittleEndian.PutUint32(slice, uint32(n))
	binary.LittleEndian.PutUint32(slice[4:], uint32(pad))
	frame := slice[shmipcPrefix+pad:]
	return frame[:n:n], nil
}

func (s *shmStream) send() error  { return s.stream.Flush(false) }
func (s *shmStream) flush() error { return nil }

func (s *shmStream) receive() ([]byte, error) {
	if s.stream == nil {
		stream, err := s.session.AcceptStream()
		if err != nil {
			return nil, err
		}
		s.stream = stream
	}
	r := s.stream.BufferReader()
	r.ReleasePreviousRead()
	prefix, err := r.ReadBytes(shmipcPrefix)
	if err != nil {
		return nil, err
	}
	n, pad := int(binary.LittleEndian.Uint32(prefix)), int(binary.LittleEndian.Uint32(prefix[4:]))
	if n < numberBytes || pad > shmipcMostPad {
		return nil, errShort(n)
	}
	body, err := r.ReadBytes(n + shmipcMostPad)
	if err != nil {
		return nil, err
	}
	return body[pad : pad+n], nil
}

// close lets side 0 go first: what side 1 sent is lost with its session.
func (s *shmStream) close() error {
	if s.isCaller {
		return errors.Join(s.stream.Close(), s.manager.Close())
	}
	for {
		if _, err := s.receive(); err != nil {
			return s.session.Close()
		}
	}
}
