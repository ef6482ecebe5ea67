//go:build linux

package lab

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/page"
	"github.com/ndring/ndring/cmd/torture/role"
)

// judge is what an actor's log is handed to.
type judge interface {
	Take(history.Event)
	Faults() ([]history.Fault, int)
}

// actor is one member of a room's cast over all its lives.
type actor struct {
	room     *room
	name     string
	part     role.Part
	command  []string // of ndring instead of a part; it has no log
	reads    string   // input of the command
	schedule schedule
	spared   bool // never killed
	holds    bool // holds the ring up until it is killed
	goesOn   bool // a room in which nobody of this sort gets a frame is stuck
	promise  history.Promise

	page   *page.Page
	file   *os.File // the page
	said   *os.File // what its lives wrote to stderr
	judge  judge
	mu     sync.Mutex // guards the page's Take and the judge
	life   uint32
	proc   *process
	pid    atomic.Int64 // of the present life
	prior  uint64       // beat when the present life began
	ending ending
	asked  atomic.Bool   // it is to end by itself
	dead   int           // times it was killed while it ended the ring
	gone   chan struct{} // closed when it performs no more
}

// ending is how the last life of an actor ended.
type ending int

const (
	running ending = iota
	killed
	left    // by itself, well
	failed  // by itself, with an error
	removed // by the laboratory, because the ring had ended before it came
)

// makes reports whether the actor writes a ring.
func (a *actor) makes() bool { return a.command != nil || a.part.Role == role.Writer }

// open makes the actor's page.
func (a *actor) open() (err error) {
	a.gone = make(chan struct{})
	if a.page, a.file, err = page.Create(a.name); err != nil {
		return err
	}
	a.said, err = unnamed(a.name)
	return err
}

func (a *actor) close() {
	if a.page != nil {
		a.page.Close()
		a.file.Close()
		a.page = nil
	}
	if a.said != nil {
		a.said.Close()
	}
}

// perform lives one life after the other until the ring has ended or the room is
// aborted.
func (a *actor) perform() {
	for {
		a.life++
		if err := a.begin(); err != nil {
			a.room.abort(fmt.Errorf("%s: %w", a.name, err))
			return
		}
		plan := a.schedule.of(a.life)
		a.ending = a.live(plan)
		a.drain(true)
		switch {
		case a.ending == failed:
			a.room.abort(fmt.Errorf("%s, life %d, failed", a.name, a.life))
			return
		case a.ending == removed, a.room.aborted.Load(), a.room.finishing.Load() && a.ending == left && !a.waitedFor():
			return
		}
	}
}

// waitedFor reports whether a reader that has seen the end must come back: a writer
// killed while it ended the ring could not be told and waits for it.
func (a *actor) waitedFor() bool {
	if a.part.Keep == 0 {
		return false
	}
	for end := time.Now().Add(farewell); time.Now().Before(end); time.Sleep(drainEvery) {
		if a.room.ended.Load() {
			return false
		}
	}
	return true
}

// farewell is how long a ring may take to end when its readers have seen the end.
const farewell = time.Second / 2

func (a *actor) begin() (err error) {
	a.page.Begin()
	a.page.Trap(0)
	a.prior = a.page.Beat()
	null := a.room.lab.null
	if a.command != nil {
		argv := append([]string{a.room.lab.Program}, a.command...)
		a.proc, err = launch(argv, a.room.dir, []*os.File{null, null, a.said})
	} else {
		part := a.part
		part.Life = a.life
		a.proc, err = play(&part, []*os.File{null, null, a.said, a.file})
	}
	if err != nil {
		return err
	}
	a.pid.Store(int64(a.proc.Pid))
	a.room.lab.count.starts.Add(1)
	return nil
}

// live carries a plan out and returns how the life ended.
func (a *actor) live(p plan) ending {
	switch {
	case a.holds:
		return a.liveHolding()
	case a.spared:
		a.disturb()
	default:
		a.carryOut(p)
	}
	select {
	case <-a.proc.done:
		return a.ended()
	default:
	}
	if a.room.finishing.Load() {
		a.page.Trap(0)
		a.proc.goOn()
		return a.toTheEnd()
	}
	return a.kill(p)
}

func (a *actor) ended() ending {
	if a.proc.well() {
		return left
	}
	return failed
}

// askToEnd has a program end by itself.
func (a *actor) askToEnd() { a.asked.Store(true) }

// toTheEnd lets the actor see the end of the ring.
func (a *actor) toTheEnd() ending {
	for {
		select {
		case <-a.proc.done:
			return a.ended()
		case <-time.After(tick):
		}
		if a.page.State() == page.Closing && a.dying() {
			return a.kill(plan{aim: page.Closing})
		}
		if a.asked.Swap(false) {
			a.proc.ask()
		}
		late := a.room.ended.Load() && a.page.State().Step() <= page.Attaching
		if late || a.room.aborted.Load() {
			a.proc.kill()
			return removed
		}
	}
}

// tick is how often the laboratory looks at an actor.
const tick = time.Millisecond

// until waits for a condition, for so long at the most. It returns false when it did
// not come about, the process ended or the room is finishing.
func (a *actor) until(most time.Duration, condition func() bool) bool {
	for end := time.Now().Add(most); !condition(); {
		if time.Now().After(end) || !a.pause(tick) {
			return false
		}
	}
	return true
}

// pause waits, unless the process ends or the room is finishing.
func (a *actor) pause(d time.Duration) bool {
	select {
	case <-a.proc.done:
		return false
	case <-a.room.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// drain hands the log to the judge.
func (a *actor) drain(dead bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.page.Take(dead) {
		a.judge.Take(e)
	}
}

// words is the end of what the actor's lives wrote to stderr.
func (a *actor) words() string {
	const most = 32 << 10
	size, err := a.said.Seek(0, 2)
	if err != nil {
		return ""
	}
	b := make([]byte, min(size, most))
	n, _ := a.said.ReadAt(b, size-int64(len(b))) // what can be read
	return string(b[:n])
}
