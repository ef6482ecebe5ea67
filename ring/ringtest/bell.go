package ringtest

import (
	"context"

	"github.com/ndring/ndring/ring"
)

// Bell is the control plane of rings within one process: a channel. It wakes one
// sleeper, however often it was rung before.
type Bell chan struct{}

var (
	_ ring.Bell    = Bell(nil)
	_ ring.Sleeper = Bell(nil)
)

// NewBell returns a bell that nobody has rung.
func NewBell() Bell { return make(Bell, 1) }

// Ring implements ring.Bell.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// Sleep implements ring.Sleeper. It returns when the bell is rung and knows no safety
// interval, so that a ring that is missing is noticed.
func (b Bell) Sleep(ctx context.Context) error {
	select {
	case <-b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
