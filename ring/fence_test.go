//go:build !race

package ring_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// rounds lets two goroutines start each round at the same moment and counts the
// rounds in which one went to sleep and the other, done by then, did not ring.
type rounds struct {
	turn, done  atomic.Int64
	slept, rung bool
	lost        int
	close       int          // rounds in which the sleeper was just not too late, or just too late
	lead        int          // steps by which the waker is let go first
	lines       [24][8]int64 // the sleeper owns them before each round
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

// race runs sleeper against waker n times; before prepares a round, alone. What the
// waker stores waits behind stores to lines that its processor has to fetch first, as
// behind a large payload: a look without a fence comes long before.
//
// On a machine with no processor to spare it makes what rounds it can in a few seconds.
func (s *rounds) race(n int, before, sleeper, waker func()) {
	stop := make(chan struct{})
	until := time.Now().Add(3 * time.Second)
	var over atomic.Bool
	go func() {
		defer close(stop)
		for i := int64(1); ; i++ {
			for s.turn.Load() != i {
				if over.Load() {
					return
				}
			}
			for j := range s.lines {
				s.lines[j][0] = i
			}
			waker()
			s.done.Store(i)
		}
	}()
	for i := int64(1); i <= int64(n) && (i%64 != 0 || time.Now().Before(until)); i++ {
		before()
		for j := range s.lines {
			s.lines[j][0] = -i
		}
		last := s.slept
		s.slept, s.rung = false, false
		s.turn.Store(i)
		for range s.lead + int(i%8) {
			s.turn.Load()
		}
		sleeper()
		for s.done.Load() != i {
			runtime.Gosched()
		}
		s.meet(last)
	}
	over.Store(true)
	<-stop
}

// meet judges a round and keeps the two sides at the moment at which half of the
// sleepers come too late.
func (s *rounds) meet(last bool) {
	if s.slept != last {
		s.close++
	}
	if s.slept && !s.rung {
		s.lost++
	}
	if s.slept {
		s.lead += 2
	} else {
		s.lead = max(0, s.lead-2)
	}
	s.lead = min(s.lead, 2000)
}

// parkRounds is how often two sides meet; a missing fence shows in one of 20 to 2000.
func parkRounds() int { return parkCycles() / 5 }

// Check that a reader that goes to sleep at the very moment of a commit is rung: each
// side stores, fences, then looks at what the other stored. So does a writer that could
// do without, for a reader that cannot run a barrier.
func TestCommitAgainstPark(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors")
	}
	for _, asymmetric := range []bool{false, true} {
		s := &rounds{}
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}, Asymmetric: asymmetric})
		r := p.reader(t, p.mustAttach(t, ring.Attach{Bell: s}), ring.ReaderConfig{Sleeper: s, WriterBell: awake{}})
		s.race(parkRounds(), func() { _ = r.Release() }, func() {
			if _, err := r.Next(context.Background()); err != nil {
				t.Error(err)
			}
		}, func() { mustFit(t, p.w, 40).Commit() })
		s.judge(t)
	}
}

func (s *rounds) judge(t *testing.T) {
	t.Helper()
	if s.lost != 0 {
		t.Fatalf("%d wake-ups lost", s.lost)
	}
	t.Logf("%d rounds were close", s.close)
}

// Check that a writer that goes to sleep at the very moment of a release is rung: the
// reader stores its cursor, fences, then looks whether the writer waits.
func TestReleaseAgainstPark(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors")
	}
	s := &rounds{}
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: s, Now: stopped})
	r := p.reader(t, p.mustAttach(t, ring.Attach{}), ring.ReaderConfig{Sleeper: awake{}, WriterBell: s})
	for range smallBytes/64 - 1 {
		mustFit(t, p.w, 40).Commit()
	}
	s.race(parkRounds(), func() { next(t, r) }, func() {
		c, err := p.w.Claim(context.Background(), proto.U8, 40)
		if err != nil {
			t.Error(err)
			return
		}
		c.Commit()
	}, func() {
		if err := r.Release(); err != nil {
			t.Error(err)
		}
	})
	s.judge(t)
}

// stopped is a clock that costs nothing.
func stopped() time.Time { return time.Unix(1, 0) }

// between holds the writer between the store of a commit word and the look at the
// parked words, where it reads the clock, until its reader is about to park.
type between struct {
	p       *pair
	t       *testing.T
	parking atomic.Bool
	done    atomic.Int64
	turn    int64
	held    bool
	rung    atomic.Bool
	lost    int
}

func (b *between) Ring() { b.rung.Store(true) }

// now delays the writer by another time each round.
func (b *between) now() time.Time {
	if b.held {
		for !b.parking.Load() {
			runtime.Gosched()
		}
		for range b.turn * 7 % 150 {
			b.parking.Load()
		}
	}
	return stopped()
}

// Sleep is reached once the reader's words are stored. The next commit rings, unless
// the one under way did.
func (b *between) Sleep(context.Context) error {
	for b.done.Load() != b.turn {
		runtime.Gosched()
	}
	b.held = false
	mustFit(b.t, b.p.w, smallBytes/16).Commit()
	if !b.rung.Load() {
		b.lost++
	}
	return nil
}

// Check that a reader that parks while the writer is still busy with waking for the
// frame before is rung for the next: its own word is there before the summary is.
func TestParkAgainstWake(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors")
	}
	b := &between{t: t}
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: awake{}, Now: b.now})
	b.p = p
	r := p.reader(t, p.mustAttach(t, ring.Attach{Bell: b}), ring.ReaderConfig{Sleeper: b, WriterBell: awake{}})
	turns := make(chan int64)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for turn := range turns {
			mustFit(t, p.w, smallBytes/16).Commit() // passes a mark, so it reads the clock
			b.done.Store(turn)
		}
	}()
	until := time.Now().Add(3 * time.Second)
	for b.turn = 1; b.turn <= int64(parkRounds()) && (b.turn%64 != 0 || time.Now().Before(until)); b.turn++ {
		b.rung.Store(false)
		b.parking.Store(false)
		b.held = true
		turns <- b.turn
		for !r.Ready() {
			runtime.Gosched()
		}
		next(t, r)
		if err := r.Release(); err != nil {
			t.Fatal(err)
		}
		b.parking.Store(true)
		next(t, r)
	}
	close(turns)
	<-stop
	if b.lost != 0 {
		t.Fatalf("%d wake-ups lost", b.lost)
	}
}
