package tour

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a process may take to end after it was asked to.
const patience = 6 * time.Second

// child is a process of the tour.
type child struct {
	title  string
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{}
	err    error // after ended is closed

	interrupted atomic.Bool // as the tour ended, before its own end was seen
}

// start runs this program with args. When ctx ends the process is interrupted, and
// killed if it does not end. When the process fails, failed is called with the error
// that wait returns.
func start(ctx context.Context, failed func(error), program, dir string, args ...string) (*child, error) {
	c := &child{title: "ndring " + strings.Join(args, " "), ended: make(chan struct{})}
	c.stdout.changed, c.stderr.changed = make(chan struct{}, 1), make(chan struct{}, 1)
	c.cmd = exec.CommandContext(ctx, program, args...)
	c.cmd.Env = append(os.Environ(), "NDRING_DIR="+dir)
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	c.cmd.Cancel = func() error {
		c.interrupted.Store(true)
		return c.cmd.Process.Signal(os.Interrupt)
	}
	c.cmd.WaitDelay = patience
	dieWithParent(c.cmd)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.title, err)
	}
	go func() {
		if err := c.cmd.Wait(); err != nil {
			c.err = fmt.Errorf("%s: %w", c.title, err)
			failed(c.err) // before anybody can see its end
		}
		close(c.ended)
	}()
	return c, nil
}

// interrupt asks the process to end.
func (c *child) interrupt() { _ = c.cmd.Process.Signal(os.Interrupt) }

// wait blocks until the process has ended; it fails if the process did. The
// context the process was started with bounds it.
func (c *child) wait() error {
	<-c.ended
	return c.err
}

// guilty reports whether the process failed, and not because it was interrupted.
func (c *child) guilty() bool { return c.err != nil && !c.interrupted.Load() }

// ending says how the process ended.
func (c *child) ending() string {
	switch {
	case errors.Is(c.err, context.Canceled):
		return c.title + ": interrupted"
	case c.err != nil:
		return c.err.Error()
	}
	return c.title + ": ended well"
}

// said waits for a line on stderr that holds text and returns what follows it.
func (c *child) said(ctx context.Context, text string) (string, error) {
	for {
		for _, line := range strings.Split(c.stderr.String(), "\n") {
			if _, rest, ok := strings.Cut(line, text); ok {
				return rest, nil
			}
		}
		select {
		case <-c.stderr.changed:
		case <-c.ended:
			return "", fmt.Errorf("%s ended before it said %q", c.title, text)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// output collects what a process prints.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if bytes.IndexByte(p, '\n') >= 0 {
		select {
		case o.changed <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
