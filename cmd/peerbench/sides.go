package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// task is what the sides of a job are told.
type task struct {
	Peer       string
	Kind       kind
	FrameBytes int
	Time       time.Duration // measured; a fifth of it precedes to warm up
	Dir        string
	CPUs       []int // by seat, bench.Unpinned for none
}

func (t task) warmUp() time.Duration { return t.Time / 5 }

// kind is what the two sides do with each other.
type kind string

const (
	roundTrip kind = "round_trip" // one frame to and fro
	oneWay    kind = "one_way"    // frames one way, nothing touched but the number
	fillSum   kind = "fill_sum"   // frames one way, filled by the sender, summed by the receiver
)

// reply is what side 0 measured: Quantiles of round trips, or else PerSecond.
type reply struct {
	Quantiles bench.Quantiles
	PerSecond float64
}

const (
	roleSide   = "side"
	roleServer = "nats_server"
)

func roles() map[string]bench.Role {
	return map[string]bench.Role{roleSide: unlocked(playSide), roleServer: unlocked(playNATSServer)}
}

// unlocked runs a role on a goroutine that is bound to no thread: to one that
// is, every wake-up through the netpoller costs a switch of threads, which no
// program that uses these transports would pay.
func unlocked(role bench.Role) bench.Role {
	return func(side *bench.Side) (any, error) {
		type end struct {
			value any
			err   error
		}
		done := make(chan end)
		go func() {
			value, err := role(side)
			done <- end{value, err}
		}()
		e := <-done
		return e.value, e.err
	}
}

// playSide connects and measures; side 0 returns a reply.
func playSide(side *bench.Side) (any, error) {
	var t task
	if err := side.Params(&t); err != nil {
		return nil, err
	}
	p, found := findPeer(peers(), t.Peer)
	if !found {
		return nil, fmt.Errorf("measure peer %q: there is none of that name", t.Peer)
	}
	if err := settle(side, t, p); err != nil {
		return nil, err
	}
	l, err := p.connect(end{Side: side, dir: t.Dir, frameBytes: t.FrameBytes})
	if err != nil {
		return nil, fmt.Errorf("connect through %s: %w", t.Peer, err)
	}
	side.Meet()
	r, err := measure(l, side.Index, t)
	if err != nil {
		return nil, fmt.Errorf("%s through %s: %w", t.Kind, t.Peer, err)
	}
	if err := l.close(); err != nil {
		return nil, fmt.Errorf("close %s: %w", t.Peer, err)
	}
	return r, nil
}

// settle pins the process and gives its runtime as many threads as the peer
// is best served with. The process starts unpinned, for the runtime decides at
// its start how many CPUs there are, and with one CPU nobody may spin.
func settle(side *bench.Side, t task, p peer) error {
	cpu := t.CPUs[side.Index]
	if cpu == bench.Unpinned {
		return nil
	}
	if err := pinProcess(cpu); err != nil {
		return err
	}
	runtime.GOMAXPROCS(max(1, p.threads))
	return nil
}

// measure carries out one side of t: first for a fifth of the time, then for
// all of it.
func measure(l link, index int, t task) (reply, error) {
	switch {
	case t.Kind == roundTrip && index == 0:
		return callForTime(l, t)
	case t.Kind == roundTrip:
		return reply{}, answerTwice(l, t, echo)
	case index == 0:
		return streamForTime(l, t)
	default:
		return reply{}, answerTwice(l, t, drain)
	}
}

// callForTime is side 0 of round trips.
func callForTime(l link, t task) (reply, error) {
	next, _, err := call(l, t.FrameBytes, 1, t.warmUp())
	if err != nil {
		return reply{}, err
	}
	_, timesNs, err := call(l, t.FrameBytes, next, t.Time)
	if err != nil {
		return reply{}, err
	}
	q, err := bench.NewQuantiles(timesNs)
	return reply{Quantiles: q}, err
}

// call makes round trips with the numbers from first on until length has
// passed. The clock is read once a round trip.
func call(l link, frameBytes int, first uint64, length time.Duration) (next uint64, timesNs []float64, err error) {
	timesNs = make([]float64, 0, 1<<20)
	began := time.Now()
	for n, before := first, time.Duration(0); ; n++ {
		var flag uint64
		if before >= length {
			flag = lastFlag
		}
		if err := sendNumber(l, n|flag, frameBytes); err != nil {
			return 0, nil, err
		}
		if err := expect(l, n|flag, frameBytes); err != nil {
			return 0, nil, err
		}
		after := time.Since(began)
		timesNs = append(timesNs, float64(after-before))
		before = after
		if flag != 0 {
			return n + 1, timesNs, nil
		}
	}
}

// expect receives a frame and checks number and length.
func expect(l link, want uint64, lenBytes int) error {
	frame, err := l.receive()
	if err != nil {
		return err
	}
	if len(frame) != lenBytes {
		return errLength(len(frame), lenBytes)
	}
	if number(frame) != want {
		return errNumber(number(frame), want)
	}
	return nil
}

// answerTwice is side 1: the phase that warms up, and the measured one.
func answerTwice(l link, t task, answer func(l link, t task, first uint64) (next uint64, err error)) error {
	next, err := answer(l, t, 1)
	if err != nil {
		return err
	}
	_, err = answer(l, t, next)
	return err
}

// echo answers every frame with one of the same number, up to the last.
func echo(l link, t task, first uint64) (next uint64, err error) {
	for n := first; ; n++ {
		last, err := receiveNumbered(l, t, n)
		if err != nil {
			return 0, err
		}
		if err := sendNumber(l, n|last, t.FrameBytes); err != nil {
			return 0, err
		}
		if last != 0 {
			return n + 1, nil
		}
	}
}

// drain receives frames up to the last, sums them if so asked, and answers
// that one alone.
func drain(l link, t task, first uint64) (next uint64, err error) {
	for n := first; ; n++ {
		last, err := receiveNumbered(l, t, n)
		if err != nil {
			return 0, err
		}
		if last != 0 {
			return n + 1, sendNumber(l, n|last, numberBytes)
		}
	}
}

// receiveNumbered receives the frame of number n, sums it if that is what
// the task asks for, and returns its lastFlag.
func receiveNumbered(l link, t task, n uint64) (last uint64, err error) {
	frame, err := l.receive()
	if err != nil {
		return 0, err
	}
	if len(frame) != t.FrameBytes {
		return 0, errLength(len(frame), t.FrameBytes)
	}
	got := number(frame)
	if got&^lastFlag != n {
		return 0, errNumber(got, n)
	}
	if t.Kind == fillSum {
		if err := checkSum(frame, n); err != nil {
			return 0, err
		}
	}
	return got & lastFlag, nil
}

// streamForTime is side 0 of frames one way.
func streamForTime(l link, t task) (reply, error) {
	next, _, err := stream(l, t, 1, t.warmUp())
	if err != nil {
		return reply{}, err
	}
	after, elapsed, err := stream(l, t, next, t.Time)
	if err != nil {
		return reply{}, err
	}
	return reply{PerSecond: float64(after-next) / elapsed.Seconds()}, nil
}

// stream sends frames with the numbers from first on until length has passed,
// and returns when the receiver has answered the last: what lies in a queue at
// the end does not count before it has come out.
func stream(l link, t task, first uint64, length time.Duration) (next uint64, elapsed time.Duration, err error) {
	const largeBytes, looksApart = 64 << 10, 64
	mask := uint64(looksApart - 1) // look at the clock where number&mask is 0
	if t.FrameBytes >= largeBytes {
		mask = 0
	}
	began := time.Now()
	for n := first; ; n++ {
		number := n
		if n&mask == 0 && time.Since(began) >= length {
			number |= lastFlag
		}
		if err := sendFrame(l, t, number); err != nil {
			return 0, 0, err
		}
		if number == n {
			continue
		}
		if err := errors.Join(l.flush(), expect(l, number, numberBytes)); err != nil {
			return 0, 0, err
		}
		return n + 1, time.Since(began), nil
	}
}

// sendFrame sends one frame, filled if that is what the task asks for.
func sendFrame(l link, t task, n uint64) error {
	frame, err := l.buffer(t.FrameBytes)
	if err != nil {
		return err
	}
	if t.Kind == fillSum {
		if err := fill(frame, n); err != nil {
			return err
		}
	}
	setNumber(frame, n)
	return l.send()
}
