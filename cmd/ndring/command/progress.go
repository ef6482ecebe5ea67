package command

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/urfave/cli/v2"
)

// progressInterval is how often the line on the terminal changes.
const progressInterval = 250 * time.Millisecond

// clearLine empties the line of a terminal.
const clearLine = "\r\x1b[K"

// counts are frames and bytes since a start. Add is for one goroutine.
type counts struct {
	frames  atomic.Uint64
	bytes   atomic.Uint64
	started time.Time
}

func (n *counts) start() { n.started = time.Now() }

func (n *counts) add(bytes int) {
	n.frames.Store(n.frames.Load() + 1)
	n.bytes.Store(n.bytes.Load() + uint64(bytes))
}

// join adds what m counted, from the earlier start of the two.
func (n *counts) join(m *counts) {
	n.frames.Add(m.frames.Load())
	n.bytes.Add(m.bytes.Load())
	if n.started.IsZero() || !m.started.IsZero() && m.started.Before(n.started) {
		n.started = m.started
	}
}

// took is the time since the start, 0 before it.
func (n *counts) took() time.Duration {
	if n.started.IsZero() {
		return 0
	}
	return time.Since(n.started)
}

// summary is what was moved, in words.
func (n *counts) summary() string {
	frames, took := n.frames.Load(), n.took()
	return fmt.Sprintf("%d frames, %s in %s (%s)", frames, quantity.Bytes(n.bytes.Load()),
		took.Round(100*time.Microsecond), quantity.Rate(float64(frames)/max(took, 1).Seconds()))
}

// totals is what was moved, for machines.
type totals struct {
	Ring    string  `json:"ring,omitempty"`
	Frames  uint64  `json:"frames"`
	Bytes   uint64  `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

func (n *counts) totals(ring string) totals {
	return totals{Ring: ring, Frames: n.frames.Load(), Bytes: n.bytes.Load(), Seconds: n.took().Seconds()}
}

// progress counts and, when stderr is a terminal, shows it while the command runs.
// Stop may be called twice.
type progress struct {
	counts
	total uint64        // frames expected, 0 = unknown
	note  func() string // what else to show, may be nil
	done  chan struct{}
	shown sync.WaitGroup
	once  sync.Once
}

func startProgress(c *cli.Context, total uint64, note func() string) *progress {
	p := &progress{total: total, note: note, done: make(chan struct{})}
	p.start()
	if isTerminal(c.App.ErrWriter) {
		p.shown.Go(func() { p.show(c) })
	}
	return p
}

func (p *progress) show(c *cli.Context) {
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	lastFrames, lastTime := uint64(0), p.started
	for {
		select {
		case <-p.done:
			fmt.Fprint(c.App.ErrWriter, clearLine)
			return
		case now := <-tick.C:
			frames := p.frames.Load()
			rate := float64(frames-lastFrames) / now.Sub(lastTime).Seconds()
			fmt.Fprintf(c.App.ErrWriter, clearLine+"%s", p.line(frames, rate))
			lastFrames, lastTime = frames, now
		}
	}
}

func (p *progress) line(frames uint64, rate float64) string {
	line := fmt.Sprintf("%d frames", frames)
	if p.total > 0 {
		line = fmt.Sprintf("%d of %d frames, %d %%", frames, p.total, 100*frames/p.total)
	}
	line += fmt.Sprintf(", %s, %s", quantity.Rate(rate), quantity.Bytes(p.bytes.Load()))
	if p.note != nil {
		if note := p.note(); note != "" {
			line += ", " + note
		}
	}
	return line
}

// follow keeps the counts up to date from elsewhere until the returned function is
// called; add must not be used then.
func (p *progress) follow(count func() (frames, bytes uint64)) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	update := func() {
		frames, bytes := count()
		p.frames.Store(frames)
		p.bytes.Store(bytes)
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				update()
				return
			case <-tick.C:
				update()
			}
		}
	}()
	return func() { close(done); <-ended }
}

// stop removes the line from the terminal.
func (p *progress) stop() {
	p.once.Do(func() { close(p.done) })
	p.shown.Wait()
}
