//go:build linux

package lab

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/cmd/torture/role"
)

// counts is what was done to the actors.
type counts struct {
	starts, stops, cuts       atomic.Int64
	writers, readers, lookers atomic.Int64
	stages, bridges, clients  atomic.Int64
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
	return &c.clients
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
