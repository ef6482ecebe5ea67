package tour

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ndring/ndring/cmd/ndring/inspection"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/ipc"
)

// ErrFailed is returned when a check of the tour failed.
var ErrFailed = errors.New("the tour failed")

// Options say what to show.
type Options struct {
	Frames int       // through producer, stage and consumer
	Chunks int       // through the bridge
	Out    io.Writer // the story
	Live   io.Writer // a line that changes while it runs; nil = none
}

// tour is one run.
type tour struct {
	Options
	program  string
	dir      string
	children []*child
	fail     context.CancelCauseFunc // ends the tour with the reason
}

// limit is how long the tour may take, whatever the machine.
const limit = 2 * time.Minute

// Run makes the tour and returns nil if everything was as it must be. It sets
// NDRING_DIR for this process. Errors wrap ErrFailed or that of ctx.
func Run(ctx context.Context, o Options) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(ipc.DefaultDir()), "ndring-demo-*")
	if err != nil {
		return fmt.Errorf("make a ring directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("NDRING_DIR", dir); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	running, fail := context.WithCancelCause(bounded)
	t := &tour{Options: o, program: program, dir: dir, fail: fail}
	err = t.run(running)
	if failure := context.Cause(running); failure != nil { // the first one, and not what came of it
		err = failure
	}
	fail(nil)
	t.end()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; the processes have ended and the rings are removed: %w", ctx.Err())
	}
	if err != nil {
		t.blame()
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return t.leftovers()
}

// end waits until every process is gone; the context they run under is done.
func (t *tour) end() {
	for _, c := range t.children {
		<-c.ended
	}
}

// blame prints what the process that failed had to say, or all of them where none did.
func (t *tour) blame() {
	guilty := slices.DeleteFunc(slices.Clone(t.children), func(c *child) bool { return !c.guilty() })
	if len(guilty) == 0 {
		guilty = t.children
	}
	for _, c := range guilty {
		fmt.Fprintf(t.Out, "\n--- %s\n%s", c.ending(), c.stderr.String())
	}
}

func (t *tour) start(ctx context.Context, args ...string) (*child, error) {
	c, err := start(ctx, t.fail, t.program, t.dir, args...)
	if err != nil {
		return nil, err
	}
	t.children = append(t.children, c)
	fmt.Fprintf(t.Out, "  $ %s\n", c.title)
	return c, nil
}

// say writes a paragraph of the story.
func (t *tour) say(format string, args ...any) {
	fmt.Fprintf(t.Out, "\n"+format+"\n", args...)
}

func (t *tour) run(ctx context.Context) error {
	if err := t.pipeline(ctx); err != nil {
		return err
	}
	return t.remote(ctx)
}

// pipeline runs producer, stage and consumer, last one first: start order does not
// matter.
func (t *tour) pipeline(ctx context.Context) error {
	t.say("Three processes, two rings in shared memory; the consumer starts first and waits:")
	consumer, err := t.start(ctx, "consume", "results", "--verify", "--json", "--name", "viewer")
	if err != nil {
		return err
	}
	if _, err := consumer.said(ctx, "waiting for ring"); err != nil {
		return err
	}
	stage, err := t.start(ctx, "stage", "--in", "samples", "--out", "results", "--kernel", "arcsec", "--name", "arcsec")
	if err != nil {
		return err
	}
	producer, err := t.start(ctx, "produce", "samples", "--count", fmt.Sprint(t.Frames))
	if err != nil {
		return err
	}
	t.watch(ctx, consumer)
	for _, c := range []*child{producer, stage, consumer} {
		if err := c.wait(); err != nil {
			return err
		}
	}
	return t.judge(consumer)
}

// watch shows how the results flow until c ends, and once what inspect sees.
func (t *tour) watch(ctx context.Context, c *child) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began, shown := time.Now(), false
	for {
		select {
		case <-c.ended:
			if t.Live != nil {
				fmt.Fprint(t.Live, "\r\x1b[K")
			}
			return
		case <-tick.C:
		}
		r, err := inspection.Inspect(ctx, "results", inspection.Options{Frames: 1, Values: 3})
		if err != nil || r.Flow.Frames == 0 {
			continue // not there yet, or gone
		}
		if !shown {
			shown = true
			t.show(r)
		}
		if t.Live != nil {
			rate := float64(r.Flow.Frames) / time.Since(began).Seconds()
			fmt.Fprintf(t.Live, "\r\x1b[K  %d frames in ring results, %s, %.0f %% full", r.Flow.Frames, quantity.Rate(rate), 100*r.Flow.Fill)
		}
	}
}

// show is what "ndring inspect" sees, in short.
func (t *tour) show(r *inspection.Report) {
	t.say("A look from outside, which changes nothing (ndring inspect results):")
	fmt.Fprintf(t.Out, "  %s\n", r.Verdict.Sentence)
	fmt.Fprintf(t.Out, "  position %d, frame %d; %s resident\n", r.Flow.Tail, r.Flow.Frames, quantity.Bytes(r.File.ResidentBytes))
	for _, f := range r.Frames {
		fmt.Fprintf(t.Out, "  frame %d is %s %s %s\n", f.Number, f.Role, f.DType, f.Preview)
	}
}

// judge compares what the consumer verified with what was produced.
func (t *tour) judge(consumer *child) error {
	var sum struct {
		Seconds  float64 `json:"seconds"`
		Verified struct {
			Primary int `json:"primary"`
			Delta   int `json:"delta"`
		} `json:"verified"`
	}
	if err := json.Unmarshal([]byte(consumer.stdout.String()), &sum); err != nil {
		return fmt.Errorf("read the consumer's summary: %w", err)
	}
	t.say("ok  %d PRIMARY and %d DELTA verified bit for bit in %.1f s (%s), nothing lost, nothing twice",
		sum.Verified.Primary, sum.Verified.Delta, sum.Seconds, quantity.Rate(float64(sum.Verified.Primary)/sum.Seconds))
	if sum.Verified.Primary != t.Frames || sum.Verified.Delta != t.Frames-1 {
		return fmt.Errorf("verified %d PRIMARY and %d DELTA, want %d and %d", sum.Verified.Primary, sum.Verified.Delta, t.Frames, t.Frames-1)
	}
	return nil
}

// remote runs a bridge and a TCP client that knows nothing of rings.
func (t *tour) remote(ctx context.Context) error {
	t.say("A bridge serves TCP clients through a stage of its own:")
	server, err := t.start(ctx, "bridge", "--listen", "127.0.0.1:0", "--to", "chunks", "--from", "answers")
	if err != nil {
		return err
	}
	stage, err := t.start(ctx, "stage", "--in", "chunks", "--out", "answers", "--kernel", "arcsec")
	if err != nil {
		return err
	}
	address, err := server.said(ctx, "listening on ")
	if err != nil {
		return err
	}
	address, _, _ = strings.Cut(address, ",")
	began := time.Now()
	answers, err := play(ctx, address, t.Chunks)
	if err != nil {
		return fmt.Errorf("TCP client: %w", err)
	}
	took := time.Since(began).Seconds()
	if answers != t.Chunks {
		return fmt.Errorf("TCP client: %d answers to %d chunks", answers, t.Chunks)
	}
	t.say("ok  %d chunks over TCP to %s, every answer right, in %.1f s (%s)", answers, address, took, quantity.Rate(float64(answers)/took))
	server.interrupt()
	return errors.Join(server.wait(), stage.wait())
}

// leftovers fails if a process left a file behind.
func (t *tour) leftovers() error {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: %d files are left in %s, the first is %s", ErrFailed, len(entries), t.dir, entries[0].Name())
	}
	t.say("ok  every process has ended and no file is left")
	return nil
}
