//go:build !race

package ring_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// rounds lets two goroutines start each round at the same moment and counts the
// rounds in which one went to sleep and the other, done by then, did not ring.
type rounds struct {
	turn, done  atomic.Int64
	slept, rung bool
	lost        int
}

func (s *rounds) Ring() { s.rung = true }

// Sleep returns when the other side is done: what it rang, it rang before.
func (s *rounds) Sleep(context.Context) error {
	s.slept = true
	for s.done.Load() != s.turn.Load() {
		runtime.Gosched()
	}
	return nil
}

// race runs sleeper against waker n times; before prepares a round, alone.
func (s *rounds) race(n int, before, sleeper, waker func()) {
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for i := int64(1); i <= int64(n); i++ {
			for s.turn.Load() != i {
			}
			for range i % 300 { // the two sides meet at another step each round
				s.turn.Load()
			}
			waker()
			s.done.Store(i)
		}
	}()
	for i := int64(1); i <= int64(n); i++ {
		before()
		s.slept, s.rung = false, false
		s.turn.Store(i)
		sleeper()
		for s.done.Load() != i {
			runtime.Gosched()
		}
		if s.slept && !s.rung {
			s.lost++
		}
	}
	<-stop
}

// Check that a reader that goes to sleep at the very moment of a commit is rung: each
// side stores, fences, then looks at what the other stored.
func TestCommitAgainstPark(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors")
	}
	s := &rounds{}
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}})
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest, Bell: s})
	if err != nil {
		t.Fatal(err)
	}
	r := p.reader(t, got, ring.ReaderConfig{Sleeper: s, WriterBell: awake{}})
	n := parkCycles()
	s.race(n, func() { _ = r.Release() }, func() {
		if _, err := r.Next(context.Background()); err != nil {
			t.Error(err)
		}
	}, func() { mustFit(t, p.w, 40).Commit() })
	if s.lost != 0 {
		t.Fatalf("%d wake-ups lost", s.lost)
	}
}
