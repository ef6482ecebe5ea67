package command

import (
	"context"
	"time"
)

// lookInterval is how often something is looked at that cannot be waited for.
const lookInterval = 100 * time.Millisecond

// pause waits for d, or for the end of ctx, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
