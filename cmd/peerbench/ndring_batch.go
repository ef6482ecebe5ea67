package main

import (
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// batchFrames is how many frames one claim, one commit and one lease take.
const batchFrames = 64

// collectingRings are rings whose sender makes up to batchFrames frames of one length
// visible at once, and whose receiver takes as many as there are.
type collectingRings struct {
	*rings
	out        *ring.WriteBatch // nil = none claimed
	frameBytes int              // of a frame in out
	filled     int              // frames of out that were sent
	in         *ring.ReadBatch
	taken      int // frames of in that were received
}

// connectCollecting spins as connectSpinning does.
func connectCollecting(e end) (link, error) {
	r, err := joinRings(e, ipc.DefaultSpin)
	if err != nil {
		return nil, err
	}
	return &collectingRings{rings: r}, nil
}

func (l *collectingRings) buffer(n int) ([]byte, error) {
	if l.out != nil && n != l.frameBytes {
		if err := l.flush(); err != nil {
			return nil, err
		}
	}
	if l.out == nil {
		out, err := l.w.ClaimBatch(l.ctx, proto.F64, n/8, batchFrames)
		if err != nil {
			return nil, err
		}
		l.out, l.frameBytes, l.filled = out, n, 0
	}
	return l.out.Payload(l.filled), nil
}

func (l *collectingRings) send() error {
	l.filled++
	if l.filled == l.out.Len() {
		l.commit()
	}
	return nil
}

func (l *collectingRings) commit() {
	l.out.Commit()
	l.out = nil
}

// flush claims the frames that were filled alone: a batch is committed whole. They lie
// where they lay before.
func (l *collectingRings) flush() error {
	if l.out == nil {
		return nil
	}
	l.out.Abort()
	l.out = nil
	if l.filled == 0 {
		return nil
	}
	out, err := l.w.ClaimBatch(l.ctx, proto.F64, l.frameBytes/8, l.filled)
	if err != nil {
		return err
	}
	if out.Len() != l.filled {
		return fmt.Errorf("claimed %d of %d frames again", out.Len(), l.filled)
	}
	l.out = out
	l.commit()
	return nil
}

func (l *collectingRings) receive() ([]byte, error) {
	if l.in == nil || l.taken == l.in.Len() {
		in, err := l.r.NextBatch(l.ctx, batchFrames)
		if err != nil {
			return nil, err
		}
		l.in, l.taken = in, 0
	}
	l.taken++
	return l.in.Payload(l.taken - 1), nil
}
