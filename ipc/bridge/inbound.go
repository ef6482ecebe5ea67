package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ndring/ndring/proto"
)

// blockBytes is how much is read at a time. A chunk that does not fit goes
// straight from the socket to where it belongs.
const blockBytes = 64 << 10

type block struct{ b [blockBytes]byte }

// stashBytes is how much of an incomplete chunk is set aside while waiting, so that
// a slow client holds no block.
const stashBytes = 4 << 10

// inbound is what was read and not consumed: block.b[r:w], or stash while the
// client is silent.
type inbound struct {
	block *block
	r, w  int
	stash []byte

	armedFor uint64 // chunk, from 1, whose deadline is set; 0 = none
	idleAt   time.Time
}

// takeBlock returns where to read to, behind what is there.
func (s *stream) takeBlock() []byte {
	in := &s.in
	if in.block == nil {
		in.block = s.bridge.pool.Get().(*block)
		in.r, in.w = 0, copy(in.block.b[:], in.stash)
		in.stash = in.stash[:0]
	}
	if in.r > 0 {
		in.w = copy(in.block.b[:], in.block.b[in.r:in.w])
		in.r = 0
	}
	return in.block.b[in.w:]
}

// giveBlock returns the block to the others if what is in it can be set aside.
func (s *stream) giveBlock() {
	in := &s.in
	if in.w-in.r > stashBytes {
		return
	}
	in.stash = append(in.stash[:0], in.block.b[in.r:in.w]...)
	s.dropBlock()
}

func (s *stream) dropBlock() {
	if s.in.block != nil {
		s.bridge.pool.Put(s.in.block)
		s.in.block = nil
	}
}

// pending is how many bytes wait to be consumed.
func (in *inbound) pending() int {
	if in.block == nil {
		return len(in.stash)
	}
	return in.w - in.r
}

// fill reads once, waiting for the client. io.EOF is its orderly end between two
// chunks.
func (s *stream) fill() error {
	s.arm()
	n, err := s.readBlock()
	if err == nil && n > 0 {
		s.in.w += n
		return nil
	}
	if s.stopping.Load() {
		return errStopped
	}
	switch pending := s.in.pending(); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s.late(pending)
	case err != nil && err != io.EOF:
		return fmt.Errorf("read: %w", err)
	case pending > 0:
		return s.cutShort(pending)
	}
	return io.EOF
}

func (s *stream) readBlock() (int, error) {
	if s.sock != nil {
		return s.sock.read()
	}
	return s.conn.Read(s.takeBlock())
}

// arm sets the deadline for what is awaited: the rest of a chunk, once for each
// chunk, or the next chunk. A deadline that is nearly fresh stays.
func (s *stream) arm() {
	in, cfg := &s.in, &s.bridge.cfg
	if in.pending() > 0 {
		if in.armedFor != s.chunks+1 {
			in.armedFor = s.chunks + 1
			s.readWithin(cfg.Progress)
		}
		return
	}
	if cfg.Idle == 0 && in.armedFor == 0 {
		return
	}
	if now := time.Now(); in.armedFor != 0 || now.Sub(in.idleAt) > cfg.Idle/8 {
		in.armedFor, in.idleAt = 0, now
		s.readWithin(cfg.Idle)
	}
}

// readWithin sets the read deadline, 0 meaning none. A stop at the same time wins.
func (s *stream) readWithin(d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = s.conn.SetReadDeadline(at)
	if s.stopping.Load() {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

func (s *stream) late(pending int) error {
	if pending == 0 {
		return errIdle
	}
	return &refusal{uint64(pending), fmt.Errorf("chunk did not grow by 64 KiB or end within %v: %w", s.bridge.cfg.Progress, proto.ErrChunk)}
}

func (s *stream) cutShort(pending int) error {
	if pending < proto.SeedChunkHeadBytes {
		return &refusal{uint64(pending), fmt.Errorf("chunk header cut short after %d of %d bytes: %w", pending, proto.SeedChunkHeadBytes, proto.ErrChunk)}
	}
	s.takeBlock()
	n := binary.BigEndian.Uint32(s.in.block.b[s.in.r:])
	return s.cutPayload(uint64(n), uint64(pending-proto.SeedChunkHeadBytes))
}

func (s *stream) cutPayload(n, have uint64) error {
	return &refusal{n, fmt.Errorf("chunk of %d bytes cut short after %d: %w", n, have, proto.ErrChunk)}
}

// peek looks at the next chunk in the block: its payload length, 0 if not even the
// header is there, and whether it is there whole.
func (s *stream) peek() (n int, whole bool, err error) {
	p := s.in.block.b[s.in.r:s.in.w]
	if len(p) < proto.SeedChunkHeadBytes {
		return 0, false, nil
	}
	size, err := proto.CheckChunk(p, s.bridge.limit, s.bridge.exact)
	if err != nil {
		return 0, false, &refusal{uint64(binary.BigEndian.Uint32(p)), err}
	}
	return int(size), len(p)-proto.SeedChunkHeadBytes >= int(size), nil
}

// consume takes the payload of a chunk of n bytes that is there whole.
func (s *stream) consume(n int) []byte {
	at := s.in.r + proto.SeedChunkHeadBytes
	s.in.r = at + n
	s.chunks++
	return s.in.block.b[at : at+n]
}

// readPayload reads on until p is full, have bytes of it being there, for a chunk
// of n bytes. Each 64 KiB have their own time.
func (s *stream) readPayload(p []byte, have, n int) error {
	mark := have
	s.in.armedFor = s.chunks + 1
	s.readWithin(s.bridge.cfg.Progress)
	for have < len(p) {
		got, err := s.conn.Read(p[have:])
		have += got
		if have == len(p) {
			break
		}
		if err != nil {
			return s.payloadError(err, n, have)
		}
		if have-mark >= blockBytes {
			mark = have
			s.readWithin(s.bridge.cfg.Progress)
		}
	}
	return nil
}

func (s *stream) payloadError(err error, n, have int) error {
	switch {
	case s.stopping.Load():
		return errStopped
	case err == io.EOF:
		return s.cutPayload(uint64(n), uint64(have))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s.late(n)
	}
	return fmt.Errorf("read: %w", err)
}
