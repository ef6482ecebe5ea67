//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/role"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// room is one ring with its cast, in a directory of its own.
type room struct {
	lab    *Lab
	name   string
	dir    string
	writer *actor // nil in a room with a bridge
	judge  *history.Writer
	cast   []*actor // the writer among them

	stop      chan struct{} // closed when no more harm is done
	finishing atomic.Bool
	makers    atomic.Int32 // who writes rings and has not left
	ended     atomic.Bool  // all of them have
	aborted   atomic.Bool
	once      sync.Once
	holding   sync.Mutex
	mu        sync.Mutex
	why       error    // of the abort
	last      []string // words of the actors, if aborted
	faults    []history.Fault
}

const (
	ringName   = "x"
	endGrace   = 100 * time.Millisecond // of writers, for readers of the life before
	keep       = time.Hour              // of named readers: longer than any run
	drainEvery = 5 * time.Millisecond
)

func (l *Lab) newRoom(name string) (*room, error) {
	dir, err := os.MkdirTemp("/dev/shm", fmt.Sprintf("ndring-torture-%d-", os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("room %s: %w", name, err)
	}
	return &room{lab: l, name: name, dir: dir, stop: make(chan struct{})}, nil
}

// add takes an actor into the cast.
func (r *room) add(a *actor) *actor {
	a.room, a.name = r, r.name+"."+a.name
	a.part.Actor, a.part.Dir, a.part.Seed = a.name, r.dir, r.lab.Seed
	a.part.Verbose = r.lab.Verbose
	if a.part.Ring == "" {
		a.part.Ring = ringName
	}
	a.schedule.begin(r.lab.Seed, a.name, a.part.Role == role.Writer)
	r.cast = append(r.cast, a)
	return a
}

func (r *room) addWriter(a *actor) {
	a.part.Role, a.part.Grace = role.Writer, endGrace
	r.writer = r.add(a)
	r.judge = history.NewWriter(a.name)
	a.judge = r.judge
}

func (r *room) addReader(a *actor) {
	a.goesOn = a.promise != history.Lossy
	a.part.Role, a.part.Stream = role.Reader, a.part.Stream || a.promise == history.NamedStream
	switch a.promise {
	case history.Named, history.NamedStream:
		a.part.Name, a.part.Keep = a.name, keep
	case history.Lossy:
		a.part.Role = role.Observer
	}
	r.add(a)
	j := history.NewReader(a.name, a.promise)
	if r.writer != nil && !r.writer.spared {
		j.OfMortalWriter()
	}
	a.judge = j
}

// addProgram adds an ndring that plays a role with the arguments given. reads is its
// input.
func (r *room) addProgram(of, reads string, arguments ...string) *actor {
	a := r.add(&actor{name: of, reads: reads, part: role.Part{Role: of}, command: append([]string{of}, arguments...)})
	a.judge = history.NewProgram(a.name)
	return a
}

// open makes the pages of the cast.
func (r *room) open() error {
	for _, a := range r.cast {
		if err := a.open(); err != nil {
			return err
		}
	}
	return nil
}

// close gives back what open and newRoom made.
func (r *room) close() {
	for _, a := range r.cast {
		a.close()
	}
	os.RemoveAll(r.dir)
}

// run lets the cast perform until done is closed, then ends the ring and judges.
func (r *room) run(done <-chan struct{}) {
	var acting, watching sync.WaitGroup
	quiet := make(chan struct{})
	for _, a := range r.cast {
		if a.makes() {
			r.makers.Add(1)
		}
	}
	for _, a := range r.cast {
		acting.Go(func() {
			a.perform()
			close(a.gone)
			if a.makes() && r.makers.Add(-1) == 0 {
				r.ended.Store(true)
			}
		})
	}
	watching.Go(func() { r.watch(quiet) })
	select {
	case <-done:
	case <-r.stop:
	}
	r.calm()
	r.finish()
	acting.Wait()
	close(quiet)
	watching.Wait()
	r.settle()
}

// calm stops all harm and waits until the programs read their rings: one that comes
// when its input has ended and is gone would wait for another.
func (r *room) calm() {
	r.finishing.Store(true)
	r.once.Do(func() { close(r.stop) })
	for _, a := range r.cast {
		for a.command != nil && !r.aborted.Load() && !r.hasPlace(a) {
			time.Sleep(drainEvery)
		}
	}
}

// hasPlace reports whether the present life of a reads its input.
func (r *room) hasPlace(a *actor) bool {
	s, err := ipc.OpenSnapshot(r.dir, a.reads)
	if err != nil {
		return false
	}
	defer s.Close()
	for _, reader := range s.Readers() {
		if reader.State == proto.SlotActive && int64(reader.PID) == a.pid.Load() {
			return true
		}
	}
	return false
}

// finish has the ring ended: by its writer, or, once all clients have what they are
// owed, by the bridge.
func (r *room) finish() {
	if r.writer != nil {
		r.writer.page.Finish()
		return
	}
	for _, a := range r.cast {
		a.page.Finish()
	}
	for _, a := range r.cast {
		if a.command == nil {
			<-a.gone
		}
	}
	for _, a := range r.cast {
		if a.part.Role == roleBridge {
			a.askToEnd()
		}
	}
}

// abort ends the room at once.
func (r *room) abort(why error) {
	r.mu.Lock()
	if r.why == nil {
		r.why = why
	}
	r.mu.Unlock()
	r.aborted.Store(true)
	r.finishing.Store(true)
	r.once.Do(func() { close(r.stop) })
}

// watch takes in the logs and ends a room in which nothing moves any more.
func (r *room) watch(quiet <-chan struct{}) {
	last, since := uint64(0), time.Now()
	for {
		select {
		case <-quiet:
			return
		case <-time.After(drainEvery):
		}
		sum := uint64(0)
		for _, a := range r.cast {
			a.drain(false)
			if a.goesOn {
				sum += a.page.Beat()
			}
		}
		if sum != last {
			last, since = sum, time.Now()
		}
		if time.Since(since) > r.lab.Stuck && !r.aborted.Load() {
			r.fault(history.Stuck, r.describe())
			r.traces()
			r.abort(errors.New("nothing moves"))
		}
	}
}

func (r *room) fault(sort history.Sort, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, history.Fault{Sort: sort, Actor: r.name, Text: text})
}

// traces has every actor of a stuck room say where its goroutines are.
func (r *room) traces() {
	for _, a := range r.cast {
		trace(int(a.pid.Load()))
	}
	time.Sleep(farewell)
}

// describe says where everybody is, for a room that is stuck.
func (r *room) describe() string {
	text := "nobody got a frame for " + r.lab.Stuck.String()
	for _, a := range r.cast {
		text += fmt.Sprintf("\n  %s, life %d: %v, %d frames", a.name, a.life, a.page.State(), a.page.Beat())
	}
	s, err := ipc.OpenSnapshot(r.dir, ringName)
	if err != nil {
		return text + "\n  " + err.Error()
	}
	defer s.Close()
	text += fmt.Sprintf("\n  ring: %+v", s.Segment.State())
	for _, reader := range s.Readers() {
		text += fmt.Sprintf("\n  slot: %+v", reader)
	}
	return text
}

// settle judges the logs as a whole and looks at what is left.
func (r *room) settle() {
	if r.why != nil {
		r.fault(history.Failure, "the room was given up: "+r.why.Error())
		for _, a := range r.cast {
			r.last = append(r.last, a.words())
		}
		return
	}
	if r.judge != nil {
		r.judge.Finish()
	}
	for _, a := range r.cast {
		if j, ok := a.judge.(*history.Reader); ok {
			j.Finish(r.judge, a.ending == removed)
		}
	}
	files, err := os.ReadDir(r.dir)
	for _, f := range files {
		r.fault(history.Residue, "file "+f.Name()+" in the ring directory")
	}
	if err != nil {
		r.fault(history.Residue, err.Error())
	}
}
