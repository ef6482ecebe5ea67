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

// progress counts frames and bytes and, when stderr is a terminal, shows them
// while the command runs. Add is for one goroutine; stop may be called twice.
type progress struct {
	frames  atomic.Uint64
	bytes   atomic.Uint64
	started time.Time
	total   uint64        // frames expected, 0 = unknown
	note    func() string // what else to show, may be nil
	done    chan struct{}
	shown   sync.WaitGroup
	once    sync.Once
}

func startProgress(c *cli.Context, total uint64, note func() string) *progress {
	p := &progress{started: time.Now(), total: total, note: note, done: make(chan struct{})}
	if isTerminal(c.App.ErrWriter) {
		p.shown.Go(func() { p.show(c) })
	}
	return p
}

func (p *progress) add(bytes int) {
	p.frames.Store(p.frames.Load() + 1)
	p.bytes.Store(p.bytes.Load() + uint64(bytes))
}

func (p *progress) show(c *cli.Context) {
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	lastFrames, lastTime := uint64(0), p.started
	for {
		select {
		case <-p.done:
			fmt.Fprint(c.App.ErrWriter, "\r\x1b[K")
			return
		case now := <-tick.C:
			frames := p.frames.Load()
			rate := float64(frames-lastFrames) / now.Sub(lastTime).Seconds()
			fmt.Fprintf(c.App.ErrWriter, "\r\x1b[K%s", p.line(frames, rate))
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

// summary is what was moved, in words.
func (p *progress) summary() string {
	frames, took := p.frames.Load(), time.Since(p.started)
	return fmt.Sprintf("%d frames, %s in %s (%s)", frames, quantity.Bytes(p.bytes.Load()),
		took.Round(100*time.Microsecond), quantity.Rate(float64(frames)/took.Seconds()))
}

// totals is what was moved, for machines.
type totals struct {
	Ring    string  `json:"ring"`
	Frames  uint64  `json:"frames"`
	Bytes   uint64  `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

func (p *progress) totals(ring string) totals {
	return totals{Ring: ring, Frames: p.frames.Load(), Bytes: p.bytes.Load(), Seconds: time.Since(p.started).Seconds()}
}
