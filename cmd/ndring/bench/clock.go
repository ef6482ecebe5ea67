package bench

import "time"

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
}

// newTickClock measures the length of a tick against the monotonic clock.
func newTickClock() tickClock {
	c := tickClock{start: time.Now()}
	first, began := c.now(), time.Now()
	for time.Since(began) < calibration {
	}
	elapsed, last := time.Since(began), c.now()
	c.nsPerTick = float64(elapsed) / float64(last-first)
	return c
}

// ns converts a difference of two readings.
func (c tickClock) ns(ticks uint64) float64 { return float64(ticks) * c.nsPerTick }
