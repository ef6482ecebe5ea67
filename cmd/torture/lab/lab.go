//go:build linux

package lab

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
)

// Lab is a crash laboratory. Its fields are set before Run.
type Lab struct {
	Seed     uint64
	Duration time.Duration
	Kills    int // of writers and of readers each, after which it ends; 0 = Duration alone
	Rooms    []string
	Program  string        // path of ndring; "" leaves out the rooms that need it
	Stuck    time.Duration // how long a room may stand still; 0 = DefaultStuck
	Soak     bool          // sample what the processes take that live through it, and judge that
	Progress io.Writer
	Verbose  bool // the actors log what their control planes do; the end of it is told of rooms given up

	null  *os.File
	count counts
	hits  hits
	gates samples
	rooms []*room

	enduring []*endurance
}

// DefaultStuck is how long a room may stand still before it counts as stuck.
const DefaultStuck = time.Minute

// Run does harm for the time given, ends all rings and returns what was found.
func (l *Lab) Run(done <-chan struct{}) (*Report, error) {
	before := l.census()
	defer l.clear()
	if l.Stuck == 0 {
		l.Stuck = DefaultStuck
	}
	if err := l.furnish(); err != nil {
		return nil, err
	}
	start := time.Now()
	enough := make(chan struct{})
	go func() {
		defer close(enough)
		l.wait(done, start)
	}()
	var all sync.WaitGroup
	if l.Soak {
		l.enduring = l.watchers()
		all.Go(func() { l.sample(enough) })
	}
	for _, r := range l.rooms {
		all.Go(func() { r.run(enough) })
	}
	all.Wait()
	<-enough
	report := l.report(time.Since(start))
	l.clear()
	report.Faults = append(report.Faults, l.residue(before)...)
	return report, nil
}

// furnish opens the rooms.
func (l *Lab) furnish() (err error) {
	if l.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return err
	}
	for i, kind := range l.Rooms {
		build := builders()[kind]
		if build == nil {
			return fmt.Errorf("no room %q; there are %v", kind, Kinds())
		}
		if l.Program == "" && (kind == "stage" || kind == "bridge") {
			return fmt.Errorf("room %s needs ndring; say where it is with -ndring", kind)
		}
		r, err := l.newRoom(fmt.Sprintf("%s%d", kind, i))
		if err != nil {
			return err
		}
		l.rooms = append(l.rooms, r)
		build(r)
		if err := r.open(); err != nil {
			return err
		}
	}
	return nil
}

// clear gives everything back. It may be called twice.
func (l *Lab) clear() {
	for _, r := range l.rooms {
		r.close()
	}
	l.null.Close()
}

// reportEvery is the interval of progress lines.
const reportEvery = 10 * time.Second

// wait returns when enough harm was done.
func (l *Lab) wait(done <-chan struct{}, start time.Time) {
	last := start
	for time.Since(start) < l.Duration {
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond):
		}
		writers, readers := l.count.writers.Load(), l.count.readers.Load()
		if n := int64(l.Kills); n > 0 && writers >= n && readers >= n || l.allAborted() {
			return
		}
		if time.Since(last) >= reportEvery {
			last = time.Now()
			fmt.Fprintf(l.Progress, "%4.0f s: %d writers and %d readers killed\n", time.Since(start).Seconds(), writers, readers)
		}
	}
}

func (l *Lab) allAborted() bool {
	for _, r := range l.rooms {
		if !r.aborted.Load() {
			return false
		}
	}
	return true
}

// census counts what the laboratory itself could leave.
func (l *Lab) census() [2]int {
	fds, _ := os.ReadDir("/proc/self/fd")
	return [2]int{len(fds), runtime.NumGoroutine()}
}

// residue is what the laboratory itself has more of than before, and processes.
func (l *Lab) residue(before [2]int) []history.Fault {
	after := l.census()
	for end := time.Now().Add(DefaultStuck); after[0] > before[0]+pollerFDs || after[1] > before[1]; after = l.census() {
		if time.Now().After(end) {
			break
		}
		time.Sleep(tick)
	}
	var found []history.Fault
	say := func(format string, args ...any) {
		found = append(found, history.Fault{Sort: history.Leak, Actor: "laboratory", Text: fmt.Sprintf(format, args...)})
	}
	if after[0] > before[0]+pollerFDs {
		say("%d descriptors before, %d after", before[0], after[0])
	}
	if after[1] > before[1] {
		say("%d goroutines before, %d after", before[1], after[1])
	}
	if left := children(); len(left) > 0 {
		say("processes %v still run", left)
	}
	return found
}

// pollerFDs is what the Go runtime opens on first use of its poller.
const pollerFDs = 3
