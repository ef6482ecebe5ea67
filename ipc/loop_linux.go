package ipc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop is the one thread of control of a writer's control plane: descriptors,
// alarms and posted work are all served by the goroutine that calls turn, so that
// what they touch needs no lock. post may be called from any goroutine.
type loop struct {
	epoll   int
	bell    *Doorbell // rung for posted work
	watches map[int32]*watch
	next    int32
	alarms  map[*alarm]struct{}
	events  [64]unix.EpollEvent

	mu     sync.Mutex
	posted []func()
}

// watch is a descriptor the loop looks at.
type watch struct {
	id     int32
	fd     int
	events uint32
	ready  func()
}

// alarm is a function to be called at a time.
type alarm struct {
	at  time.Time
	run func()
}

func newLoop() (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	bell, err := newDoorbell()
	if err != nil {
		unix.Close(epoll)
		return nil, err
	}
	l := &loop{epoll: epoll, bell: bell, watches: map[int32]*watch{}, alarms: map[*alarm]struct{}{}}
	if _, err := l.watch(bell.fd, bell.take); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// watch calls ready whenever fd is readable or hung up.
func (l *loop) watch(fd int, ready func()) (*watch, error) {
	l.next++ // ids are not reused, so an event of a closed descriptor meets nobody
	w := &watch{id: l.next, fd: fd, events: unix.EPOLLIN | unix.EPOLLRDHUP, ready: ready}
	ev := unix.EpollEvent{Events: w.events, Fd: w.id}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return nil, fmt.Errorf("watch descriptor: %w", err)
	}
	l.watches[w.id] = w
	return w, nil
}

// want also calls ready when fd can be written to, or stops doing so.
func (l *loop) want(w *watch, writable bool) {
	events := w.events &^ unix.EPOLLOUT
	if writable {
		events |= unix.EPOLLOUT
	}
	l.change(w, events)
}

// pause stops looking at a descriptor until resume.
func (l *loop) pause(w *watch)  { l.change(w, 0) }
func (l *loop) resume(w *watch) { l.change(w, unix.EPOLLIN|unix.EPOLLRDHUP) }

func (l *loop) change(w *watch, events uint32) {
	if w.events == events {
		return
	}
	w.events = events
	ev := unix.EpollEvent{Events: events, Fd: w.id}
	unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, w.fd, &ev)
}

// unwatch forgets a descriptor; it must happen before the descriptor is closed.
func (l *loop) unwatch(w *watch) {
	if w == nil || l.watches[w.id] != w {
		return
	}
	delete(l.watches, w.id)
	unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, w.fd, nil)
}

// after calls run once d has passed, unless the alarm is stopped before.
func (l *loop) after(d time.Duration, run func()) *alarm {
	a := &alarm{at: time.Now().Add(d), run: run}
	l.alarms[a] = struct{}{}
	return a
}

func (l *loop) stop(a *alarm) { delete(l.alarms, a) }

// post runs f on the loop's goroutine, soon.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	l.bell.Ring()
}

// turn waits for at most the time given and serves what came meanwhile.
func (l *loop) turn(most time.Duration) error {
	n, err := unix.EpollWait(l.epoll, l.events[:], l.patienceMs(most))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for control events: %w", err)
	}
	for _, ev := range l.events[:max(0, n)] {
		if w := l.watches[ev.Fd]; w != nil {
			w.ready()
		}
	}
	l.runAlarms(time.Now())
	l.runPosted()
	return nil
}

// patienceMs is how long to sleep: until the next alarm, rounded up.
func (l *loop) patienceMs(most time.Duration) int {
	for a := range l.alarms {
		most = min(most, max(0, time.Until(a.at)))
	}
	return int((most + time.Millisecond - 1) / time.Millisecond)
}

func (l *loop) runAlarms(now time.Time) {
	for a := range l.alarms {
		if !a.at.After(now) {
			delete(l.alarms, a)
			a.run()
		}
	}
}

func (l *loop) runPosted() {
	l.mu.Lock()
	work := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range work {
		f()
	}
}

// Sleep serves control events for a while on behalf of whoever follows the ring
// from the loop's own goroutine. A bell rung for the follower ends it.
func (l *loop) Sleep(ctx context.Context) error {
	if err := l.turn(safetyInterval); err != nil {
		return err
	}
	return ctx.Err()
}

func (l *loop) close() {
	l.bell.close()
	unix.Close(l.epoll)
}
