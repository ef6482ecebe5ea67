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
	alone, begun := make(chan struct{}), make(chan struct{})
	w.server.loop.post(func() { w.server.partFrom(alone); close(begun) })
	select {
	case <-begun: // a goodbye that was said before is heard, even if ctx has ended
	case <-w.served:
		return nil
	}
	select {
	case <-alone:
		return nil
	default:
	}
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
	s.loop.after(silence, s.saySilent)
	s.part()
}

// silence is how long the end of a ring waits for a reader before it is named.
const silence = time.Second

// sayBehind tells of readers that have not got to the end.
func (s *server) sayBehind() {
	for _, r := range readersOf(s.table, s.final) {
		if r.Gating() && r.Cursor != s.final {
			s.log.Warn("still waiting for reader", "ring", s.name, "reader", r.Name, "pid", r.PID, "behind_bytes", r.LagBytes)
		}
	}
}

// saySilent tells of readers that live, have released everything and say nothing.
func (s *server) saySilent() {
	for _, c := range s.bySlot {
		if s.alone != nil && s.silent(c, time.Now()) {
			s.log.Warn("waiting for the goodbye of reader", "ring", s.name, "reader", c.label(), "pid", c.peer.pid, "keep", c.keep())
		}
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
		if s.silent(c, now) {
			return true
		}
	}
	return false
}

// silent reports whether a reader that is attached asked to be kept and is waited for.
func (s *server) silent(c *connection, now time.Time) bool {
	since := c.since
	if since.Before(s.parting) {
		since = s.parting
	}
	return c.stage == attached && !c.evicted && now.Sub(since) < c.keep()
}
