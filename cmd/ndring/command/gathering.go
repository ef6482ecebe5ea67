package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/urfave/cli/v2"
)

// gathering consumes rings at the same time, each in a goroutine of its own. A ring
// that ends leaves the others going; the first that fails ends them.
type gathering struct {
	how       reading
	tally     tally
	printer   *render.Printer
	named     bool // frames are printed with their ring
	consumers []*consumer
	mu        sync.Mutex
	failure   error // of the ring that failed first
}

// newGathering is what the flags say; named when they ask for more than one ring.
func newGathering(c *cli.Context, named bool) (*gathering, error) {
	g := &gathering{named: named}
	var err error
	if g.how, err = readingOf(c); err != nil {
		return nil, err
	}
	t := &g.tally
	t.count, t.terminal, t.out = c.Uint64("count"), isTerminal(c.App.Writer), bufio.NewWriterSize(c.App.Writer, 1<<16)
	if g.printer, err = render.New(t.out, c.String("format"), c.Int("values")); err != nil {
		return nil, usageError{err}
	}
	switch n := c.Int("print"); {
	case n < 0 || c.Int("values") < 0:
		return nil, usagef("--print and --values take numbers from 0 up")
	case c.IsSet("print"):
		t.print.Store(uint64(n))
	case c.IsSet("format"):
		t.print.Store(^uint64(0))
	}
	switch printing := t.print.Load() > 0; {
	case printing && c.Bool("json"):
		return nil, usagef("--json prints the summary to stdout; to print frames as JSON use --format json alone")
	case printing && named && c.String("format") == render.NPY:
		return nil, usagef("--format npy cannot tell the frames of several rings apart; use text or json, or one ring")
	}
	return g, nil
}

func (g *gathering) add(name string) {
	s := &consumer{name: name, how: &g.how, tally: &g.tally, printer: g.printer}
	if g.named {
		s.printer = g.printer.Of(name)
	}
	g.consumers = append(g.consumers, s)
}

// run consumes the rings that were added, and reports.
func (g *gathering) run(c *cli.Context) error {
	ctx, end := context.WithCancel(c.Context)
	defer end()
	inner := *c
	inner.Context = ctx
	p := startProgress(c, g.tally.count, g.missingNote)
	counted := p.follow(g.moved)
	var running sync.WaitGroup
	for _, s := range g.consumers {
		running.Go(func() {
			err := s.consume(&inner)
			if err != nil {
				g.fail(err)
			}
			if err != nil || g.tally.full() {
				end()
			}
		})
	}
	running.Wait()
	counted()
	p.stop()
	return g.report(c)
}

func (g *gathering) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure == nil {
		g.failure = err
	}
}

// missingNote says for how many rings it waits.
func (g *gathering) missingNote() string {
	missing := 0
	for _, s := range g.consumers {
		if !s.attached.Load() {
			missing++
		}
	}
	if missing == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d rings not there yet", missing, len(g.consumers))
}

// moved is how much was read of all rings.
func (g *gathering) moved() (frames, bytes uint64) {
	for _, s := range g.consumers {
		frames, bytes = frames+s.counts.frames.Load(), bytes+s.counts.bytes.Load()
	}
	return frames, bytes
}

func (g *gathering) report(c *cli.Context) error {
	err := g.failure
	if err == nil {
		err = g.judge(c)
	}
	sum := g.consumers[0].sum
	if g.named {
		sum = g.total(c)
	}
	if err != nil {
		sum.Error = err.Error()
	}
	if c.Bool("json") {
		return errors.Join(err, printJSON(c, sum))
	}
	return err
}

// judge compares what came with what was wanted, when no ring failed.
func (g *gathering) judge(c *cli.Context) error {
	switch got, _ := g.moved(); {
	case got >= g.tally.count:
		return nil
	case c.Context.Err() != nil:
		return interrupted(got, g.tally.count, "frames")
	case len(g.consumers) > 1:
		return fmt.Errorf("%d rings ended after %d of %d frames", len(g.consumers), got, g.tally.count)
	default:
		return fmt.Errorf("ring %s ended after %d of %d frames", g.consumers[0].name, got, g.tally.count)
	}
}

// total sums up what came of all rings, and says it.
func (g *gathering) total(c *cli.Context) summary {
	var all counts
	var sum summary
	for _, s := range g.consumers {
		all.join(&s.counts)
		sum.Rings = append(sum.Rings, s.sum)
		sum.Lost += s.sum.Lost
		if v := s.sum.Verified; v != nil {
			if sum.Verified == nil {
				sum.Verified = &verified{}
			}
			sum.Verified.Primary += v.Primary
			sum.Verified.Delta += v.Delta
			sum.Verified.Rounded += v.Rounded
		}
	}
	sum.totals = all.totals("")
	if len(g.consumers) == 1 {
		return sum
	}
	what := fmt.Sprintf("%d rings", len(g.consumers))
	say(c, "%s: %s", what, all.summary())
	if sum.Verified != nil {
		sum.Verified.say(c, what)
	}
	return sum
}
