package command

import (
	"context"
	"time"
)

// pace spreads frames evenly over time. Frames that are late are made up for, so
// that the rate holds on average.
type pace struct {
	rate    float64 // frames a second, 0 = no limit
	started time.Time
	frames  int64
	timer   *time.Timer
}

func newPace(perSecond float64) pace {
	return pace{rate: perSecond}
}

// wait blocks until the next frame is due.
func (p *pace) wait(ctx context.Context) error {
	if p.rate == 0 {
		return nil
	}
	if p.started.IsZero() {
		p.started = time.Now()
	}
	due := p.started.Add(time.Duration(float64(p.frames) / p.rate * float64(time.Second)))
	p.frames++
	left := time.Until(due)
	if left <= 0 {
		return nil
	}
	if p.timer == nil {
		p.timer = time.NewTimer(left)
	} else {
		p.timer.Reset(left)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.timer.C:
		return nil
	}
}
