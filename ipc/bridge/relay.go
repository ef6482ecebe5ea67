package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// relayGuarded is relay. Without the ring's memory no other client can be served
// either.
func (s *stream) relayGuarded(ctx context.Context) error {
	err := ring.Guard(func() error { return s.relay(ctx) }, s.bridge.regions()...)
	if faulted(err) {
		err = fmt.Errorf("%w: %w", ring.ErrSegmentLost, err)
	}
	if errors.Is(err, ring.ErrSegmentLost) {
		s.bridge.giveUp(err)
	}
	return err
}

// relay moves a client's chunks into the ring until it ends.
func (s *stream) relay(ctx context.Context) error {
	for {
		if err := s.fill(); err != nil {
			return err
		}
		if err := s.relayBlock(ctx); err != nil {
			return err
		}
	}
}

// relayBlock moves what is in the block: whole chunks in batches, each under one
// lock, and a chunk that is larger than the block alone.
func (s *stream) relayBlock(ctx context.Context) error {
	for {
		n, whole, err := s.peek()
		if err != nil || n == 0 {
			return err
		}
		large := n > blockBytes-proto.SeedChunkHeadBytes
		if !whole && !large {
			return nil
		}
		if !s.credit.await(resultBytes(n), s.quit) {
			return errStopped
		}
		if large {
			err = s.relayLarge(ctx, n)
		} else {
			err = s.relayBatch(ctx, n)
		}
		if err != nil {
			return err
		}
	}
}

// resultBytes is what a chunk of n bytes is answered with.
func resultBytes(n int) int64 { return 2 * int64(proto.SeedResultHeadBytes+n) }

// relayBatch moves a chunk of n bytes, for which credit was taken, and those that
// follow it in the block as far as credit goes.
func (s *stream) relayBatch(ctx context.Context, n int) error {
	b := s.bridge
	b.inlet.Lock()
	defer b.inlet.Unlock()
	count, bytes := uint64(0), 0
	defer func() {
		b.tally.chunks.Add(count)
		b.tally.chunkBytes.Add(uint64(bytes))
	}()
	for {
		c, err := b.cfg.To.ClaimFrame(ctx, s.describe(n))
		if err != nil {
			return err
		}
		copy(c.Payload(), s.consume(n))
		c.Commit()
		count++
		bytes += n
		var whole bool
		if n, whole, err = s.peek(); err != nil || !whole || !s.credit.try(resultBytes(n)) {
			return nil // the caller looks again
		}
	}
}

// describe is the header of the client's next chunk.
func (s *stream) describe(n int) *proto.Header {
	s.head.Shape[0] = uint64(n / proto.SeedItemBytes)
	s.head.Sequence = uint32(s.chunks + 1)
	return &s.head
}

// patience is how long a claim waits for the next bytes of a client.
const patience = time.Millisecond

// hastyChunks is how many chunks of a client that let a claim wait are collected
// first.
const hastyChunks = 16

// relayLarge reads a chunk of n bytes straight into a claimed frame. If the client
// pauses, what came moves to a buffer of its own and the claim is given up, so
// that others can go on.
func (s *stream) relayLarge(ctx context.Context, n int) error {
	var own []byte
	if s.hasty == 0 {
		var done bool
		var err error
		if own, done, err = s.relayDirect(ctx, n); done || err != nil {
			return err
		}
		s.hasty = hastyChunks
		s.bridge.tally.moved.Add(1)
	} else {
		s.hasty--
		own = append(own, s.takePart()...)
	}
	own, err := s.collect(own, n)
	if err != nil {
		return err
	}
	b := s.bridge
	b.inlet.Lock()
	defer b.inlet.Unlock()
	c, err := b.cfg.To.ClaimFrame(ctx, s.describe(n))
	if err != nil {
		return err
	}
	copy(c.Payload(), own)
	c.Commit()
	s.countLarge(n)
	return nil
}

// takePart takes the part of a chunk's payload that is in the block.
func (s *stream) takePart() []byte {
	in := &s.in
	part := in.block.b[in.r+proto.SeedChunkHeadBytes : in.w]
	in.r, in.w = 0, 0
	return part
}

func (s *stream) countLarge(n int) {
	s.chunks++
	s.bridge.tally.chunks.Add(1)
	s.bridge.tally.chunkBytes.Add(uint64(n))
}

// relayDirect reports whether the chunk was committed; if it was not and there is
// no error, part is what was received of it.
func (s *stream) relayDirect(ctx context.Context, n int) (part []byte, done bool, err error) {
	b := s.bridge
	b.inlet.Lock()
	defer b.inlet.Unlock()
	c, err := b.cfg.To.ClaimFrame(ctx, s.describe(n))
	if err != nil {
		return nil, false, err
	}
	p := c.Payload()
	have, err := s.readEagerly(p, copy(p, s.takePart()))
	if have == n {
		c.Commit()
		s.countLarge(n)
		b.tally.direct.Add(1)
		return nil, true, nil
	}
	part = append(part, p[:have]...)
	c.Abort()
	return part, false, err
}

// readEagerly reads into p until it is full or nothing comes for a moment. A
// client that trickles gets no more than a moment for each 64 KiB.
func (s *stream) readEagerly(p []byte, have int) (int, error) {
	for mark := have; have < len(p); {
		if have == mark || have-mark >= blockBytes {
			mark = have
			s.readWithin(patience)
			s.in.armedFor = s.chunks + 1
		}
		n, err := s.conn.Read(p[have:])
		have += n
		switch {
		case have == len(p):
			return have, nil
		case errors.Is(err, os.ErrDeadlineExceeded) && !s.stopping.Load():
			return have, nil
		case err != nil:
			return have, s.payloadError(err, len(p), have)
		}
	}
	return have, nil
}

// collect reads the rest of a chunk of n bytes into the client's own buffer, which
// grows with what arrives: a length that is only claimed takes no memory.
func (s *stream) collect(own []byte, n int) ([]byte, error) {
	for len(own) < n {
		have := len(own)
		grown := make([]byte, min(n, max(2*have, blockBytes)))
		copy(grown, own)
		if err := s.readPayload(grown, have, n); err != nil {
			return nil, err
		}
		own = grown
	}
	return own, nil
}

// endStream sends the client's end behind its chunks.
func (b *Bridge) endStream(ctx context.Context, s *stream) error {
	h := proto.Header{
		Kind: proto.KindStreamEnd, DType: proto.U8, NDim: 1,
		ExtFlags: proto.ExtStream, Stream: s.id, Sequence: uint32(s.chunks),
	}
	b.inlet.Lock()
	defer b.inlet.Unlock()
	c, err := b.cfg.To.ClaimFrame(ctx, &h)
	if err != nil {
		return err
	}
	c.Commit()
	return nil
}
