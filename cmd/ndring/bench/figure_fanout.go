package bench

import (
	"context"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

const roleFanOut = "fan-out"

// FanOut is the CPU time that a frame costs its writer, alone on a CPU, while
// readers share the other CPUs and all keep up at the rate given. The writer
// waits for each frame's time by looking at the clock; that waiting is taken off
// its thread's CPU time. The sample is fanout_READERS_writer, in ns a frame.
type FanOut struct {
	Readers  int
	Frames   int
	PeriodNs int // between frames
}

// Name is fanout_READERS.
func (f FanOut) Name() string { return fmt.Sprintf("fanout_%d", f.Readers) }

type fanOutParams struct {
	FanOut
	Wiring wiring
}

// Measure implements Figure.
func (f FanOut) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	if len(host.CPUs) < 2 {
		return nil, fmt.Errorf("%w: writer and readers need a CPU each to be pinned to, and this process may run on one", ErrSkipped)
	}
	seats := []Seat{{roleFanOut, host.CPUs[0]}}
	for i := range f.Readers {
		seats = append(seats, Seat{roleFanOut, host.CPUs[1+i%(len(host.CPUs)-1)]})
	}
	var nsPerFrame float64
	err := host.carryRings(ctx, Job{Seats: seats}, func(dir string) any {
		return fanOutParams{f, wiring{Dir: dir, Capacity: 16 << 20, Spin: asleep}}
	}, &nsPerFrame)
	if err != nil {
		return nil, err
	}
	return []Sample{{Name: f.Name() + "_writer", Unit: "ns/frame", Value: nsPerFrame}}, nil
}

// fanOutSide writes as side 0, which returns the CPU time of a frame, and reads
// as every other side.
func fanOutSide(s *Side) (any, error) {
	var p fanOutParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	if s.Index > 0 {
		r, err := p.Wiring.dial("x")
		if err != nil {
			return nil, err
		}
		s.Meet()
		err = p.read(r)
		if err == nil {
			s.Meet()
		}
		return nil, err
	}
	w, err := p.Wiring.listen("x")
	if err != nil {
		return nil, err
	}
	s.Meet()
	ns, err := p.write(w)
	if err == nil {
		s.Meet()
	}
	return ns, err
}

// write commits a frame each period and returns what one of them costs this
// thread.
func (p *fanOutParams) write(w *ipc.Writer) (nsPerFrame float64, err error) {
	release := lockThread()
	defer release()
	clock := newTickClock()
	ctx, timer := context.Background(), pacer{periodTicks: uint64(float64(p.PeriodNs) / clock.nsPerTick)}
	for i := range warmUpOf(p.Frames) {
		timer.await(clock)
		if err := commitOne(ctx, w, i); err != nil {
			return 0, err
		}
	}
	timer.waitedTicks = 0
	before, err := threadTime()
	if err != nil {
		return 0, err
	}
	for i := range p.Frames {
		timer.await(clock)
		if err := commitOne(ctx, w, i); err != nil {
			return 0, err
		}
	}
	after, err := threadTime()
	return (float64(after-before) - clock.ns(timer.waitedTicks)) / float64(p.Frames), err
}

func commitOne(ctx context.Context, w *ipc.Writer, i int) error {
	c, err := w.Claim(ctx, proto.F64, payloadWords)
	if err != nil {
		return err
	}
	fillFrame(c.Float64s(), float64(i))
	c.Commit()
	return nil
}

// read takes every frame.
func (p *fanOutParams) read(r *ipc.Reader) error {
	ctx := context.Background()
	for range warmUpOf(p.Frames) + p.Frames {
		f, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if sum := sumFrame(f.Float64s()); sum != 5*f.Float64s()[0] {
			return fmt.Errorf("frame %d sums to %v: %w", f.Number(), sum, ErrMismatch)
		}
	}
	return r.Release()
}

// pacer gives the beat, and counts the time spent waiting for it.
type pacer struct {
	periodTicks uint64
	next        uint64
	waitedTicks uint64
}

// stolenTicks is longer than any look at the clock takes: what lies between two
// looks that are further apart was not spent by this thread.
const stolenTicks = 20_000

// await returns at the next beat. One who comes late by more than a hundred
// beats is not made to catch up.
func (p *pacer) await(clock tickClock) {
	at := clock.now()
	if p.next == 0 || at > p.next+100*p.periodTicks {
		p.next = at
	}
	for at < p.next {
		now := clock.now()
		if now-at < stolenTicks {
			p.waitedTicks += now - at
		}
		at = now
	}
	p.next += p.periodTicks
}
