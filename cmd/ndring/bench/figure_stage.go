package bench

import (
	"context"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
)

const roleStage = "stage"

// StageRate is how many frames a second pass a producer, a stage that computes
// arcsec with its DELTA, and a consumer, in three processes that nothing pins, each
// spinning as long as it does by default. Its samples are stage_SIZE, and
// stage_SIZE_bytes of input as RingRate has them.
type StageRate struct {
	Frames       int
	PayloadBytes int // a multiple of 8
}

// Name is stage_SIZE.
func (f StageRate) Name() string { return "stage_" + sizeName(f.PayloadBytes) }

type stageParams struct {
	StageRate
	Wiring wiring
}

// The seats of a stage's job.
const (
	producerSeat = iota
	stageSeat
	consumerSeat
)

// Measure implements Figure.
func (f StageRate) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	seats := []Seat{{roleStage, Unpinned}, {roleStage, Unpinned}, {roleStage, Unpinned}}
	var perSecond float64
	err := host.carryRings(ctx, Job{Seats: seats}, func(dir string) any {
		return stageParams{f, wiring{Dir: dir, Capacity: 16 << 20}}
	}, &perSecond)
	if err != nil {
		return nil, err
	}
	return rateSamples(f.Name(), perSecond, f.PayloadBytes), nil
}

// stageSide plays one of the three parts; the producer's clock counts.
func stageSide(s *Side) (any, error) {
	var p stageParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	switch s.Index {
	case producerSeat:
		return p.produce(s)
	case stageSeat:
		return nil, p.Wiring.compute(s)
	}
	return nil, p.consume(s)
}

func (p *stageParams) produce(s *Side) (any, error) {
	w, err := p.Wiring.listen(chunkRing)
	if err != nil {
		return nil, err
	}
	clock := newTickClock()
	frames := rateParams{RingRate: RingRate{PayloadBytes: p.PayloadBytes, Touch: true}}
	s.Meet()
	warmUp := warmUpOf(p.Frames)
	if err := frames.write(w, 1, warmUp); err != nil {
		return nil, err
	}
	s.Meet()
	began := clock.now()
	if err := frames.write(w, 1+warmUp, p.Frames); err != nil {
		return nil, err
	}
	s.Meet()
	return float64(p.Frames) / clock.ns(clock.now()-began) * 1e9, nil
}

// The rings before and behind a stage.
const (
	chunkRing  = "chunks"
	resultRing = "results"
)

// compute is the stage between the two rings. It meets the others as often as
// they meet each other and goes on until its process is told to end.
func (p wiring) compute(s *Side) error {
	out, err := p.listen(resultRing)
	if err != nil {
		return err
	}
	in, err := p.dial(chunkRing)
	if err != nil {
		return err
	}
	k, err := kernel.New("arcsec", kernel.Params{})
	if err != nil {
		return err
	}
	st, err := stage.New(out, stage.Config{Kernel: k, Journal: out.Journal()}, in)
	if err == nil {
		err = resume(st, out)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		for range stageMeetings {
			s.Meet()
		}
		cancel(errDone)
	}()
	if err := st.Run(ctx); context.Cause(ctx) != errDone {
		return err
	}
	return nil
}

// resume makes the stage ready to keep its journal, as ndring stage does.
func resume(st *stage.Stage, out *ipc.Writer) error {
	s, err := ipc.OpenSnapshot(out.Dir(), out.Name())
	if err != nil {
		return err
	}
	defer s.Close()
	return st.Resume(context.Background(), s.Segment)
}

// stageMeetings is how often the sides of a job with a stage meet.
const stageMeetings = 3

// consume takes every result, checks its sequence and, at the end, its role.
func (p *stageParams) consume(s *Side) error {
	r, err := p.Wiring.dial(resultRing)
	if err != nil {
		return err
	}
	s.Meet()
	ctx, warmUp := context.Background(), warmUpOf(p.Frames)
	for i := range warmUp + p.Frames {
		if i == warmUp {
			s.Meet()
		}
		for role := proto.RolePrimary; role <= proto.RoleDelta; role++ {
			if i == 0 && role == proto.RoleDelta {
				continue // there is no result before the first
			}
			f, err := r.Next(ctx)
			if err != nil {
				return err
			}
			if h := f.Header(); h.Sequence != uint32(i+1) || h.Role != role {
				return fmt.Errorf("result %d is of sequence %d and role %d: %w", i, h.Sequence, h.Role, ErrMismatch)
			}
		}
	}
	s.Meet()
	return r.Release()
}
