package main

import (
	"context"
	"errors"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// rings joins the sides by two rings, one for each direction: float64 frames
// are filled in place and read in place.
type rings struct {
	ctx   context.Context
	w     *ipc.Writer
	r     *ipc.Reader
	claim *ring.Claim
}

// connectSpinning spins as long as a ring does by default before it parks.
func connectSpinning(e end) (link, error) { return connectRings(e, ipc.DefaultSpin) }

// connectParking never spins.
func connectParking(e end) (link, error) { return connectRings(e, -1) }

func connectRings(e end, spin time.Duration) (link, error) {
	r, err := joinRings(e, spin)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func joinRings(e end, spin time.Duration) (*rings, error) {
	own, other := "forth", "back"
	if !e.isCaller() {
		own, other = other, own
	}
	ctx := context.Background()
	w, err := ipc.Listen(ctx, own, ipc.WriterConfig{Dir: e.dir, Capacity: underWayBytes, Spin: spin})
	if err != nil {
		return nil, err
	}
	r, err := ipc.Dial(ctx, other, ipc.ReaderConfig{Dir: e.dir, Spin: spin})
	if err != nil {
		return nil, errors.Join(err, w.Close(ctx))
	}
	return &rings{ctx: ctx, w: w, r: r}, nil
}

func (l *rings) buffer(n int) ([]byte, error) {
	claim, err := l.w.Claim(l.ctx, proto.F64, n/8)
	if err != nil {
		return nil, err
	}
	l.claim = claim
	return claim.Payload(), nil
}

func (l *rings) send() error {
	l.claim.Commit()
	return nil
}

func (l *rings) flush() error { return nil }

func (l *rings) receive() ([]byte, error) {
	f, err := l.r.Next(l.ctx)
	if err != nil {
		return nil, err
	}
	return f.Payload(), nil
}

// close lets go of the other's ring first: each writer waits for its reader.
func (l *rings) close() error {
	ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
	defer cancel()
	return errors.Join(l.r.Close(), l.w.Close(ctx))
}
