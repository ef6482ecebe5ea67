package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// watch dumps all goroutines and fails if the work of a test does not end: its
// sleepers have no timeout, so a lost wake-up hangs it.
func watch(t *testing.T, p *pair, wait func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		stacks := make([]byte, 1<<16)
		t.Fatalf("hung: %+v\nslot 0 %+v\n%s", p.seg.State(), p.table.Slot(0), stacks[:runtime.Stack(stacks, true)])
	}
}

// parkCycles is how many hand-overs the tests of waiting make: each may sleep.
func parkCycles() int {
	if testing.Short() {
		return 20000
	}
	return 100000
}

// Check that no wake-up is lost between a writer and two readers that sleep without
// a timeout, at the gate and at the tail, for rings that are mostly empty, mostly
// full, and for frames that fill the ring.
func TestNoLostWakeUp(t *testing.T) {
	for _, bytes := range []int{40, 2000, smallBytes / 4} {
		for _, spin := range []time.Duration{0, 2 * time.Microsecond} {
			t.Run(fmt.Sprintf("bytes=%d/spin=%v", bytes, spin), func(t *testing.T) {
				p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Spin: spin})
				cycles := parkCycles() / (1 + bytes/2000)
				var all sync.WaitGroup
				for range 2 {
					r := p.attach(t, spin)
					all.Go(func() { readToEnd(t, r, cycles) })
				}
				all.Go(func() { writeFrames(t, p, bytes, cycles) })
				watch(t, p, all.Wait)
			})
		}
	}
}

func writeFrames(t *testing.T, p *pair, bytes, cycles int) {
	for i := range cycles {
		c, err := p.w.Claim(context.Background(), proto.U8, bytes)
		if err != nil {
			t.Error(err)
			return
		}
		le.PutUint64(c.Payload(), uint64(i))
		c.Commit()
		if i%5 == 0 {
			runtime.Gosched()
		}
	}
	p.w.Finish()
	if err := p.w.Drain(context.Background()); err != nil {
		t.Error(err)
	}
}

func readToEnd(t *testing.T, r nexter, cycles int) {
	for i := range cycles {
		f, err := r.Next(context.Background())
		if err != nil {
			t.Errorf("frame %d: %v", i, err)
			return
		}
		if f.Number() != uint64(i) || le.Uint64(f.Payload()) != uint64(i) {
			t.Errorf("frame %d is number %d with %d", i, f.Number(), le.Uint64(f.Payload()))
			return
		}
		if err := r.Release(); err != nil {
			t.Error(err)
			return
		}
	}
	if _, err := r.Next(context.Background()); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// sleepCounter counts the sleeps of one side.
type sleepCounter struct {
	bell
	slept int
}

func (s *sleepCounter) Sleep(ctx context.Context) error {
	s.slept++
	return s.bell.Sleep(ctx)
}

// Check that each frame of a ping-pong over two rings arrives when both sides sleep
// at once: every hand-over is a wake-up, and nobody has a timeout that could save one.
// Long form: the number of sleeps in NDRING_PARKS.
func TestPingPongOfSleepers(t *testing.T) {
	cycles := int(soak(t, "NDRING_PARKS", uint64(parkCycles())))/2 + 50 // the sides end a few apart
	var all sync.WaitGroup
	var rings [2]*pair
	var sides [2]*sleepCounter
	for i := range rings {
		rings[i] = newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{})
		sides[i] = &sleepCounter{bell: newBell()}
		got := rings[i].mustAttach(t, ring.Attach{Bell: sides[i]})
		rings[i].r = rings[i].reader(t, got, ring.ReaderConfig{Sleeper: sides[i], WriterBell: rings[i].wb})
	}
	bounce := func(r *ring.Reader, w *ring.Writer, s *sleepCounter, first bool) {
		for i := 0; s.slept < cycles; i++ {
			if !first || i > 0 {
				if _, err := r.Next(context.Background()); err != nil {
					if err != io.EOF {
						t.Error(err)
					}
					break
				}
			}
			c, err := w.Claim(context.Background(), proto.F64, 5)
			if err != nil {
				t.Error(err)
				break
			}
			c.Commit()
		}
		w.Finish()
	}
	begin := time.Now()
	all.Go(func() { bounce(rings[1].r, rings[0].w, sides[1], true) })
	all.Go(func() { bounce(rings[0].r, rings[1].w, sides[0], false) })
	if os.Getenv("NDRING_PARKS") != "" {
		all.Wait()
	} else {
		watch(t, rings[0], all.Wait)
	}
	t.Logf("%d sleeps, all woken, in %v", sides[0].slept+sides[1].slept, time.Since(begin).Round(time.Millisecond))
}

// Check that a follower sleeping without a timeout hears of every commit up to the
// end, that stream readers get every frame from its announcements, and that their
// releases, which go through the writer's process, wake the writer.
func TestFollowerAndStreamReaders(t *testing.T) {
	for _, bytes := range []int{8, 3000} {
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{})
		cycles := parkCycles() / (1 + bytes/1000)
		fb := newBell()
		f := p.w.Follow(fb, fb)
		var all sync.WaitGroup
		var streams []*announcer
		for range 2 {
			got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest})
			if err != nil {
				t.Fatal(err)
			}
			a := &announcer{p: p, t: t, slot: got.Slot, news: newBell()}
			streams = append(streams, a)
			r := ring.NewStreamReader(p.seg, got.Start, a)
			all.Go(func() { readToEnd(t, r, cycles) })
		}
		all.Go(func() {
			for {
				position, err := f.Next(context.Background())
				for _, a := range streams {
					a.announce(position, err)
				}
				if err != nil {
					if err != io.EOF {
						t.Error(err)
					}
					return
				}
			}
		})
		all.Go(func() { writeFrames(t, p, bytes, cycles) })
		watch(t, p, all.Wait)
	}
}

// announcer is the socket of a stream reader.
type announcer struct {
	p    *pair
	t    *testing.T
	slot int
	news bell

	mu    sync.Mutex
	known uint64
	end   error
}

func (a *announcer) announce(position uint64, end error) {
	a.mu.Lock()
	a.known, a.end = position, end
	a.mu.Unlock()
	a.news.Ring()
}

func (a *announcer) Await(ctx context.Context, position uint64) (uint64, error) {
	for {
		a.mu.Lock()
		known, end := a.known, a.end
		a.mu.Unlock()
		if int64(known-position) > 0 {
			return known, nil
		}
		if end != nil {
			return position, end
		}
		if err := a.news.Sleep(ctx); err != nil {
			return 0, err
		}
	}
}

func (a *announcer) Released(position uint64) {
	if err := a.p.w.Released(a.slot, position); err != nil {
		a.t.Error(err)
	}
}

// Check that the writer's process refuses releases that no stream reader makes.
func TestReleasedIsChecked(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 40, 0)
	p.put(t, 40, 1)
	if err := p.w.Released(0, 64); err != nil {
		t.Fatal(err)
	}
	if err := p.w.Released(0, 64); err != nil {
		t.Fatalf("again: %v", err)
	}
	for _, position := range []uint64{0, 65, 192, 1 << 63, ^uint64(0)} {
		wantErr(t, p.w.Released(0, position), ring.ErrNoPosition)
	}
}

// Check that a stream reader refuses announcements that go back or beyond a ring, and
// frames that were not announced whole.
func TestStreamReaderChecksAnnouncements(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 400, 0)
	for _, position := range []uint64{1 << 63, smallBytes + 64, 64} {
		r := ring.NewStreamReader(p.seg, 0, told(position))
		for range 2 {
			_, err := r.Next(context.Background())
			wantErr(t, err, ring.ErrCorrupt)
		}
	}
}

// Check that every way of waiting ends with the context's error, and that waiting may
// go on afterwards without a loss.
func TestCancelledWaits(t *testing.T) {
	p := newPair(t, smallBytes, 10*time.Microsecond)
	for i := range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			if i%2 == 0 {
				runtime.Gosched()
			}
			cancel()
		}()
		_, err := p.r.Next(ctx)
		wantErr(t, err, context.Canceled)
	}
	n := uint64(0)
	for {
		ctx, cancel := context.WithCancel(context.Background())
		if n >= smallBytes/64-1 {
			cancel()
		}
		c, err := p.w.Claim(ctx, proto.U8, 40)
		cancel()
		if err != nil {
			wantErr(t, err, context.Canceled)
			break
		}
		stamp(c.Payload(), n)
		c.Commit()
		n++
	}
	drain(t, p.r, 0, n)
	p.put(t, 40, n)
	drain(t, p.r, n, n+1)
}

// Check that a reader takes a frame that came with the sleeper's error, and passes the
// error on when none did.
func TestNewsOfLossComesAfterFrames(t *testing.T) {
	lost := errors.New("writer lost")
	p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{})
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest})
	if err != nil {
		t.Fatal(err)
	}
	left := 3
	r := p.reader(t, got, ring.ReaderConfig{WriterBell: awake{}, Sleeper: fails(func() error {
		if left > 0 {
			left--
			p.put(t, 40, 0)
		}
		return lost
	})})
	for range 3 {
		take(t, r, 40, 0)
	}
	_, err = r.Next(context.Background())
	wantErr(t, err, lost)
	p.w.Finish()
	if _, err = r.Next(context.Background()); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
	if r.Rescues() != 0 {
		t.Fatalf("%d rescues", r.Rescues())
	}
}

// fails is a Sleeper that wakes up at once with its function's error.
type fails func() error

func (f fails) Sleep(context.Context) error { return f() }

// Check that a wait that ended by its safety interval with work there is counted, and
// one that was rung is not.
func TestRescuesAreCounted(t *testing.T) {
	p := newStill(t, nil)
	got, err := p.w.Attach(ring.Attach{Start: proto.StartOldest})
	if err != nil {
		t.Fatal(err)
	}
	// The slot has no bell, so nobody takes its parked word.
	r := p.reader(t, got, ring.ReaderConfig{WriterBell: awake{}, Sleeper: sleeps(func() { p.put(t, 40, 0) })})
	take(t, r, 40, 0)
	if r.Rescues() != 1 {
		t.Fatalf("%d rescues", r.Rescues())
	}
	if err := r.Release(); err != nil {
		t.Fatal(err)
	}
	got.Start = r.Position()
	r = p.reader(t, got, ring.ReaderConfig{
		WriterBell: awake{}, Sleeper: sleeps(func() { p.put(t, 40, 1) }), Overslept: func() bool { return false },
	})
	take(t, r, 40, 1)
	if r.Rescues() != 0 {
		t.Fatalf("%d rescues after a sleep that a stale ring ended", r.Rescues())
	}
}

// Check that a reader that leaves wakes the writer that waits for it, and so does one
// that is evicted.
func TestDetachWakesTheWriter(t *testing.T) {
	for _, leave := range map[string]func(*ring.Writer, int){
		"detach": (*ring.Writer).Detach, "evict": (*ring.Writer).Evict,
	} {
		for range 500 {
			p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{})
			_, got := p.attachAt(t, ring.Attach{Start: proto.StartOldest})
			for i := range uint64(smallBytes/64 - 1) {
				c := mustFit(t, p.w, 40)
				le.PutUint64(c.Payload(), i)
				c.Commit()
			}
			done := make(chan struct{})
			go func() { mustFit(t, p.w, 40).Commit(); close(done) }()
			leave(p.w, got.Slot)
			watch(t, p, func() { <-done })
		}
	}
}

// leaving is a writer's Sleeper: a reader leaves when the writer has looked at the gate
// for the last time before it sleeps, and must ring.
type leaving struct {
	bell
	leave func()
}

var errNotRung = errors.New("nobody rings the writer")

func (l *leaving) Sleep(context.Context) error {
	l.leave()
	select {
	case <-l.bell:
		return nil
	default:
		return errNotRung
	}
}

// Check the same of one that leaves when the writer is about to sleep.
func TestDetachWakesTheSleeper(t *testing.T) {
	for name, leave := range map[string]func(*ring.Writer, int){
		"detach": (*ring.Writer).Detach, "evict": (*ring.Writer).Evict,
	} {
		l := &leaving{bell: newBell()}
		p := newRing(t, proto.NewIdentity("x", smallBytes), ring.WriterConfig{Sleeper: l})
		got := p.mustAttach(t, ring.Attach{})
		l.leave = func() { leave(p.w, got.Slot) }
		for i := range uint64(smallBytes/64 - 1) {
			p.put(t, 40, i)
		}
		c, err := p.w.Claim(context.Background(), proto.U8, 40)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.Commit()
	}
}

// Check that a reader that waits is not told of an end that lies further on.
func TestEndSeenByWaiting(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 40, 0)
	p.w.Finish()
	le.PutUint64(p.at(0), 0) // as if the stores of commit word and tail were still under way
	setWriterWord(p.mem, proto.WrTail, 0)
	mustWait(t, p.r)
	le.PutUint64(p.at(0), uint64(proto.KindData))
	take(t, p.r, 40, 0)
	if _, err := p.r.Next(context.Background()); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
}
