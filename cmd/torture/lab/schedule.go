//go:build linux

package lab

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/ndring/ndring/cmd/torture/page"
)

// plan is what happens to one life of an actor.
type plan struct {
	peace time.Duration // nothing happens first
	early bool          // the delay counts from the start of the process, not from its first frame
	delay time.Duration // before the kill
	aim   page.State    // stand still there before the kill; 0 = none
	still bool          // wait until it sleeps for want of room or frames before the kill
	stop  time.Duration // SIGSTOP for so long first; 0 = none
	cut   bool          // cut its control connection first
	late  bool          // kill it while it is stopped
}

const (
	mostEarly = 6 * time.Millisecond
	mostDelay = 8 * time.Millisecond
	mostStop  = 30 * time.Millisecond
)

// schedule draws the plans of an actor. The plan of a life follows from the seed, the
// actor's name and the number of the life alone.
type schedule struct {
	seed  uint64
	aims  []page.State
	stops bool
	cuts  bool
	pace  time.Duration // a life is spared for up to so long first
	rest  time.Duration // and one life in eight for so long besides
}

// begin makes the schedule that of an actor.
func (s *schedule) begin(seed uint64, actor string, writes bool) {
	h := fnv.New64a()
	h.Write([]byte(actor))
	s.seed, s.aims = seed^h.Sum64(), readerAims()
	if writes {
		s.aims = writerAims()
	}
}

func (s *schedule) rand(life uint32) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed, uint64(life)))
}

// of returns the plan of a life.
func (s *schedule) of(life uint32) plan {
	r := s.rand(life)
	var p plan
	switch n := r.IntN(100); {
	case n < 25:
		p.early, p.delay = true, time.Duration(r.Int64N(int64(mostEarly)))
	case n < 75:
		p.delay = time.Duration(r.Int64N(int64(mostDelay)))
	case n < 82:
		p.still = true
	default:
		p.aim = s.aims[r.IntN(len(s.aims))]
	}
	if s.stops && r.IntN(10) == 0 {
		p.stop, p.late = time.Duration(r.Int64N(int64(mostStop))), r.IntN(2) == 0
	}
	p.cut = s.cuts && r.IntN(10) == 0
	if s.pace > 0 {
		p.peace, p.early = time.Duration(r.Int64N(int64(s.pace))), false
		if r.IntN(8) == 0 {
			p.peace += s.rest
		}
	}
	return p
}

// writerAims are the steps at which a writer stands still, for each sort of frame.
func writerAims() []page.State {
	var aims []page.State
	for _, step := range []page.State{page.Claimed, page.Written, page.Committing, page.Committed} {
		for _, what := range []page.State{0, page.Padded, page.Grouped, page.Batched, page.Padded | page.Grouped} {
			aims = append(aims, step|what)
		}
	}
	return aims
}

func readerAims() []page.State {
	return []page.State{page.Held, page.Verified, page.Releasing, page.Released}
}
