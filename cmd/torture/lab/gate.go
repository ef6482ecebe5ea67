//go:build linux

package lab

import (
	"time"

	"github.com/ndring/ndring/cmd/torture/page"
)

// liveHolding is a life of a reader that keeps a frame until the writer waits for
// room. It is killed then, and the time is taken until the writer has its room. One
// reader of a room does so at a time.
func (a *actor) liveHolding() ending {
	reading := a.until(arrival, func() bool { return a.page.Beat() != a.prior })
	a.room.holding.Lock()
	defer a.room.holding.Unlock()
	writer := a.room.writer
	if reading {
		a.page.Trap(page.Held)
		reading = a.until(arrival, func() bool { return a.page.Lingering() && writer.sleeps() })
	}
	if a.room.finishing.Load() {
		a.page.Trap(0)
		return a.toTheEnd()
	}
	start := page.Now()
	writer.page.Ask(start)
	how := a.kill(plan{aim: page.Held})
	if !reading || how != killed {
		return how
	}
	for end := time.Now().Add(arrival); writer.page.Resumed() < start && time.Now().Before(end); {
		time.Sleep(tick)
	}
	if at := writer.page.Resumed(); at >= start {
		a.room.lab.gates.add(time.Duration(at - start))
	}
	return how
}
