//go:build linux

package lab

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/ndring/ndring/cmd/torture/page"
	"github.com/ndring/ndring/cmd/torture/role"
)

// counts is what was done to the actors.
type counts struct {
	starts, stops, cuts        atomic.Int64
	writers, readers, lookers  atomic.Int64
	stages, bridges, unrelated atomic.Int64
}

// The roles that other programs play.
const (
	roleStage  = "stage"
	roleBridge = "bridge"
)

// kills is the counter of kills of a role.
func (c *counts) kills(of string) *atomic.Int64 {
	switch of {
	case role.Writer:
		return &c.writers
	case role.Reader:
		return &c.readers
	case role.Observer:
		return &c.lookers
	case roleStage:
		return &c.stages
	case roleBridge:
		return &c.bridges
	}
	return &c.unrelated
}

// hits counts kills by role and state.
type hits struct {
	mu    sync.Mutex
	drawn map[target]int
	aimed map[target]int
}

type target struct{ role, state string }

// add notes a kill. asleep says that the actor slept for want of room or frames.
func (h *hits) add(of string, s page.State, asleep, aimed bool) {
	name := s.String()
	switch {
	case asleep && s.Step() == page.Claiming:
		name = "blocked"
	case asleep && s.Step() == page.Waiting:
		name = "parked"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drawn == nil {
		h.drawn, h.aimed = map[target]int{}, map[target]int{}
	}
	if aimed {
		h.aimed[target{of, name}]++
	} else {
		h.drawn[target{of, name}]++
	}
}

// write prints a line for each state hit.
func (h *hits) write(w io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []target
	for _, m := range []map[target]int{h.drawn, h.aimed} {
		for t := range m {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(a, b target) int {
		return h.drawn[b] + h.aimed[b] - h.drawn[a] - h.aimed[a]
	})
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "killed\tin state\tat a random time\tat that state")
	for _, t := range all {
		fmt.Fprintf(tab, "%s\t%s\t%d\t%d\n", t.role, t.state, h.drawn[t], h.aimed[t])
	}
	tab.Flush()
}

// samples are durations of one sort.
type samples struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *samples) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

func (s *samples) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.all)
	if n == 0 {
		return "none measured"
	}
	slices.Sort(s.all)
	at := func(q float64) time.Duration { return s.all[min(n-1, int(q*float64(n)))].Round(time.Microsecond) }
	return fmt.Sprintf("%d measured, p50 %v, p90 %v, p99 %v, most %v", n, at(0.5), at(0.9), at(0.99), at(1))
}
