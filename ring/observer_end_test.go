package ring_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that an observer that hears of the writer's leaving while the ring ends is
// told the end, not the leaving.
func TestObserverEndWhileWaiting(t *testing.T) {
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{FreeRun: true})
	gone := errors.New("writer is gone")
	o, err := ring.NewObserver(p.seg, ring.ObserverConfig{
		Start: proto.StartOldest,
		Wait: func(context.Context, uint64) error {
			p.w.Finish()
			return gone
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Next(t.Context()); err != io.EOF {
		t.Fatalf("error %v, want io.EOF", err)
	}
}
