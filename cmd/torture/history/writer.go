package history

import "slices"

// Writer judges the log of a ring's writer and knows afterwards who wrote what.
type Writer struct {
	ledger
	lives     []life
	closed    bool
	afterlife bool // killed when it had ended the ring, it made an empty one
	final     uint64
}

// life is one epoch of the ring: frames from start on, up to committed for sure and
// up to meant perhaps.
type life struct {
	epoch     uint64
	number    uint32 // of the actor's life
	start     uint64
	committed uint64
	meant     uint64
}

// NewWriter returns the judge of the writer called name.
func NewWriter(name string) *Writer { return &Writer{ledger: ledger{actor: name}} }

// Take judges the next event. Events must be final: not extended any more.
func (w *Writer) Take(e Event) {
	switch e.Kind {
	case Listened:
		w.listened(e)
	case Wrote:
		w.wrote(e)
	case Closed:
		if w.afterlife && e.A == 0 {
			return
		}
		w.closed, w.final = true, e.A
		if end := w.end(); e.A != end {
			w.add(Loss, e.Life, "the ring ended with %d frames, %d were committed", e.A, end)
		}
	default:
		w.common(e)
	}
}

func (w *Writer) listened(e Event) {
	if w.closed && e.A == 0 && e.B == 1 {
		w.afterlife = true // the ring had been ended for everybody, and its files were gone
		return
	}
	w.closed, w.afterlife = false, false
	if n := len(w.lives); n > 0 {
		w.follows(&w.lives[n-1], e)
	} else if e.A != 0 {
		w.add(Ghost, e.Life, "the first life began at frame %d", e.A)
	}
	w.lives = append(w.lives, life{epoch: e.B, number: e.Life, start: e.A, committed: e.A, meant: e.A})
}

// follows judges where a life began after the one before.
func (w *Writer) follows(last *life, e Event) {
	if e.B <= last.epoch {
		w.add(Rewind, e.Life, "epoch %d after epoch %d", e.B, last.epoch)
	}
	switch {
	case e.A == last.committed || e.A == last.meant:
	case e.A < last.committed:
		w.add(Loss, e.Life, "it began at frame %d, life %d had committed up to %d", e.A, last.number, last.committed)
	case e.A > last.meant:
		w.add(Ghost, e.Life, "it began at frame %d, life %d had meant to write up to %d", e.A, last.number, last.meant)
	default:
		w.add(Tear, e.Life, "it began at frame %d, in the middle of what life %d meant to commit at once, %d up to %d",
			e.A, last.number, last.committed, last.meant)
	}
}

func (w *Writer) wrote(e Event) {
	n := len(w.lives)
	if n == 0 || w.afterlife || w.lives[n-1].start != e.A {
		w.add(Failure, e.Life, "its log tells of frames from %d on without having listened there", e.A)
		return
	}
	w.lives[n-1].meant, w.lives[n-1].committed = e.B, e.C
}

// end is the number of frames committed for sure.
func (w *Writer) end() uint64 {
	if len(w.lives) == 0 {
		return 0
	}
	return w.lives[len(w.lives)-1].committed
}

// Frames is how many frames the ring holds by what is known.
func (w *Writer) Frames() uint64 { return w.end() }

// Final is the number of frames in the ring, once its last writer has ended it.
func (w *Writer) Final() (uint64, bool) { return w.final, w.closed }

// Lives counts the lives that got as far as listening.
func (w *Writer) Lives() int { return len(w.lives) }

// Finish judges the log as a whole.
func (w *Writer) Finish() {
	if !w.closed {
		w.add(Unfinished, 0, "it never ended the ring")
	}
}

// vouch judges whether the frames [first, end) are left in the ring by epoch author.
func (w *Writer) vouch(author, first, end uint64) string {
	i, ok := slices.BinarySearchFunc(w.lives, author, func(l life, epoch uint64) int {
		return int(int64(l.epoch - epoch))
	})
	if !ok {
		return "of an epoch that never listened"
	}
	l := &w.lives[i]
	if first < l.start || end > l.meant {
		return "which that epoch did not mean to write"
	}
	if i+1 < len(w.lives) && end > w.lives[i+1].start {
		return "which the next epoch wrote anew"
	}
	return ""
}

// Program judges an actor that keeps no log but may fail.
type Program struct{ ledger }

// NewProgram returns the judge of the program called name.
func NewProgram(name string) *Program { return &Program{ledger{actor: name}} }

// Take judges the next event.
func (p *Program) Take(e Event) { p.common(e) }
