package bench

import (
	"math"
	"time"
)

// calibration is how long newTickClock compares the two clocks: the reading
// error of either, some 100 ns, is then a part in 50,000.
const calibration = 5 * time.Millisecond

// tickClock converts ticks of the processor's counter to nanoseconds. A read
// costs a few nanoseconds, where time.Now costs a fair share of the round
// trip it would measure. The counter is taken to run at a constant rate and
// in step on every core, as it does on amd64 with constant_tsc and on arm64.
type tickClock struct {
	start     time.Time
	nsPerTick float64
	step      uint64 // ticks: readings are multiples of it
}

// newTickClock measures the length of a tick against the monotonic clock.
func newTickClock() tickClock {
	c := tickClock{start: time.Now()}
	first, began := c.now(), time.Now()
	for time.Since(began) < calibration {
	}
	elapsed, last := time.Since(began), c.now()
	c.nsPerTick = float64(elapsed) / float64(last-first)
	c.step = c.readStep()
	return c
}

// readStep is the greatest common divisor of the differences between readings.
func (c tickClock) readStep() uint64 {
	const readings = 1000
	step, last := uint64(0), c.now()
	for range readings {
		now := c.now()
		for a, b := now-last, step; ; a, b = b, a%b {
			if b == 0 {
				step = a
				break
			}
		}
		last = now
	}
	return max(1, step)
}

// spread is where, from -1/2 to 1/2 step, the true time of measurement i is taken to
// lie: evenly over all of them, so that medians are finer than the counter.
func (c tickClock) spread(i int) float64 {
	_, part := math.Modf(float64(i) * math.Phi)
	return c.ns(c.step) * (part - 0.5)
}

// ns converts a difference of two readings.
func (c tickClock) ns(ticks uint64) float64 { return float64(ticks) * c.nsPerTick }
