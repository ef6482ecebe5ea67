package command

import (
	"bufio"
	"sync"
	"sync/atomic"

	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// tally is what the consumers of several rings have in common: how many frames are
// wanted of all of them together, and the place where frames are printed.
type tally struct {
	count uint64 // data frames wanted; 0 = all there are
	taken atomic.Uint64

	mu       sync.Mutex    // of printing
	print    atomic.Uint64 // data frames still to print
	out      *bufio.Writer
	terminal bool
}

// take claims a data frame for its consumer, and reports whether it is still wanted.
func (t *tally) take() bool { return t.count == 0 || t.taken.Add(1) <= t.count }

// full reports whether every frame that is wanted is taken.
func (t *tally) full() bool { return t.count > 0 && t.taken.Load() >= t.count }

// show prints a frame, at once where somebody watches, unless enough are printed.
func (t *tally) show(p *render.Printer, f *ring.Frame) error {
	if t.print.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock() // also after a fault in the frame
	left := t.print.Load()
	if left == 0 {
		return nil
	}
	if err := p.Frame(f); err != nil {
		return err
	}
	if f.Kind() == proto.KindData {
		t.print.Store(left - 1)
	}
	if t.terminal {
		return t.out.Flush()
	}
	return nil
}

func (t *tally) flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Flush()
}
