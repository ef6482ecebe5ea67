//go:build linux

package ipc

import (
	"context"
	"time"
)

// farewell waits, once every frame is released, for the readers with a name that asked
// to be kept (ReaderConfig.Keep): until each has said goodbye, or is dead or silent for
// as long as it asked for. One that dies between its last release and its note that
// the ring has ended comes back to a ring that tells it so, and not to none.
func (w *Writer) farewell(ctx context.Context) error {
	alone := make(chan struct{})
	w.server.loop.post(func() { w.server.partFrom(alone) })
	select {
	case <-alone:
	case <-w.served: // with the ring's memory
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// partFrom begins the wait; alone is closed when it is over.
func (s *server) partFrom(alone chan struct{}) {
	s.alone, s.parting = alone, time.Now()
	for _, l := range s.lost {
		s.sayAwaited(l)
	}
}

// sayAwaited tells of a reader that died before, or during, the wait for its goodbye.
func (s *server) sayAwaited(l *lostSlot) {
	if s.alone != nil && l.keep > 0 {
		s.log.Warn("waiting for reader that may come back for the end", "ring", s.name, "reader", l.name, "pid", l.pid, "keep", l.keep)
	}
}

// part ends the wait once nobody is waited for. It is called in every turn.
func (s *server) part() {
	if s.alone == nil || s.awaited(time.Now()) {
		return
	}
	close(s.alone)
	s.alone = nil
}

// awaited reports whether a reader that asked to be kept has not said goodbye.
func (s *server) awaited(now time.Time) bool {
	for _, l := range s.lost {
		if l.keep > 0 {
			return true
		}
	}
	for _, c := range s.bySlot {
		since := c.since
		if since.Before(s.parting) {
			since = s.parting
		}
		if c.stage == attached && !c.evicted && now.Sub(since) < c.keep() {
			return true
		}
	}
	return false
}
