package ring

import (
	"context"
	"runtime"
	"time"
)

// Sleeper is how a side waits once spinning has not paid. Sleep returns nil when
// rung, when its safety interval has passed, and whenever else it likes; it
// returns an error when ctx is done or the control plane has news that the waiter
// must hear. One goroutine sleeps at a time.
type Sleeper interface {
	Sleep(ctx context.Context) error
}

// Bell wakes the Sleeper of another side. Ring never blocks, and ringing a
// sleeper that is awake does no harm.
type Bell interface {
	Ring()
}

// pauseBlock is how many PAUSEs one spin step takes in assembly before it returns
// to Go: well below a microsecond, so that the garbage collector is not held up.
const pauseBlock = 64

// pauseBlockTime is about what one step takes; spin budgets are counted in steps
// because a clock read costs as much as several PAUSEs.
const pauseBlockTime = 500 * time.Nanosecond

// spinner decides how long to spin before parking. A spin that met its event
// restores the full budget; one that did not halves it. From time to time the
// full budget is tried again, so that a faster partner is noticed.
type spinner struct {
	most, now int // steps
	misses    int
}

func newSpinner(total time.Duration) spinner {
	if total <= 0 || runtime.GOMAXPROCS(0) < 2 || runtime.NumCPU() < 2 {
		return spinner{}
	}
	n := max(1, int(total/pauseBlockTime))
	return spinner{most: n, now: n}
}

// budget is the number of steps to spin this time.
func (s *spinner) budget() int {
	if s.misses >= 64 {
		s.misses, s.now = 0, s.most
	}
	return s.now
}

// hit stores nothing if there is nothing to restore: it stands between a commit and
// the answer to it.
func (s *spinner) hit() {
	if s.misses != 0 {
		s.now, s.misses = s.most, 0
	}
}

func (s *spinner) miss() {
	s.misses++
	if s.now > 1 {
		s.now /= 2
	}
}

// yieldEvery is how many spin steps pass between yields to other goroutines.
const yieldEvery = 16

// breathe lets other goroutines run now and then and reports whether ctx is done.
func breathe(ctx context.Context, step int) error {
	if step%yieldEvery != yieldEvery-1 {
		return nil
	}
	runtime.Gosched()
	return ctx.Err()
}
