package stage

import (
	"fmt"
	"io"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Journal is a file that lives as long as the output ring and belongs to the process
// that writes it.
type Journal interface {
	// Open returns what an earlier life wrote. The error wraps os.ErrNotExist if there
	// is nothing.
	Open() (io.ReadCloser, error)
	// Replace makes what write writes the whole content, at one instant.
	Replace(write func(io.Writer) error) error
	// Append adds p to it. A death meanwhile may leave a part of p.
	Append(p []byte) error
}

// ledger knows where the state of each stream stands for the next life: in the
// output ring, or in the journal. Whoever may claim uses it. A stage without a journal
// has none, and nil does nothing.
type ledger struct {
	journal  Journal
	id       identification
	capacity uint64
	floor    uint64 // of the journal's last commit
	tail     uint64 // end of what is committed to the output ring
	recent   chain  // streams that changed at floor or later, in that order
	saved    chain  // streams that the journal holds as they are
	live     int64  // bytes of the journal that count: the records of saved streams
	failed   error  // of the journal: what is written behind a torn record is not read
	scribe   scribe
}

// What a journal may hold beyond its live records before it is written anew: as much
// again, and a little.
const slackBytes = 256 << 10

// chain is a list of streams.
type chain struct {
	ends stream // ends.after is the first, ends.before the last
}

func (c *chain) init() { c.ends.before, c.ends.after = &c.ends, &c.ends }

// first is nil in an empty chain.
func (c *chain) first() *stream {
	if c.ends.after == &c.ends {
		return nil
	}
	return c.ends.after
}

// next is the one behind st, or nil.
func (c *chain) next(st *stream) *stream {
	if st.after == &c.ends {
		return nil
	}
	return st.after
}

// push makes st the last.
func (c *chain) push(st *stream) {
	last := c.ends.before
	st.before, st.after = last, &c.ends
	last.after, c.ends.before = st, st
}

// pull takes a stream out of the chain it is in, if any.
func (st *stream) pull() {
	if st.after != nil {
		st.before.after, st.after.before = st.after, st.before
		st.before, st.after = nil, nil
	}
}

func newLedger(j Journal, id identification, capacity uint64) *ledger {
	l := &ledger{journal: j, id: id, capacity: capacity}
	l.recent.init()
	l.saved.init()
	return l
}

// note remembers that the state of st is what the group at position says.
func (l *ledger) note(st *stream, position uint64) {
	if l == nil {
		return
	}
	if st.kept != 0 {
		l.live -= st.kept
		st.kept = 0
	}
	st.position = position
	if l.recent.ends.before != st {
		st.pull()
		l.recent.push(st)
	}
}

// forget remembers that there is no st any more, as the frame at position says. What
// the journal says of it is taken back at the next commit.
func (l *ledger) forget(st *stream, position uint64) {
	if l == nil {
		return
	}
	l.note(st, position)
	st.gone, st.last = true, nil
	if !st.recorded {
		st.pull()
	}
}

// adopt takes over a stream that the journal holds. The journal is to be rewritten
// before anything else.
func (l *ledger) adopt(st *stream, position uint64) {
	st.position, st.recorded, st.kept = position, true, recordHead
	l.saved.push(st)
}

// end is the end of what is committed to the output ring.
func (l *ledger) end() uint64 {
	if l == nil {
		return 0
	}
	return l.tail
}

// committed remembers that a group was committed to the output ring.
func (l *ledger) committed(g *ring.Group) {
	if l != nil {
		l.tail = g.End()
	}
}

// advance commits to the journal what a claim of groups up to bytes could give up in
// the output ring, before it does. Without such a claim near it costs a comparison.
func (l *ledger) advance(bytes uint64, inputs []*input) error {
	if l == nil {
		return nil
	}
	reach := ring.Reach(l.capacity, l.tail, bytes)
	if int64(reach-l.capacity-l.floor) <= 0 {
		return nil
	}
	if l.failed == nil {
		l.failed = broken("save the state of streams", l.save(reach-l.capacity, inputs))
	}
	return l.failed
}

// broken says that an error is the journal's.
func broken(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrJournal, err)
}

// conclude commits to the journal that one of inputs has ended.
func (l *ledger) conclude(inputs []*input) error {
	if l == nil {
		return nil
	}
	if l.failed == nil {
		l.failed = broken("note the end of an input", l.scribe.commit(l.floor, inputs))
	}
	return l.failed
}

// save raises the floor to need or higher: streams that changed before are written
// down, and small ones a little ahead, so that one commit serves many frames.
func (l *ledger) save(need uint64, inputs []*input) error {
	ahead := min(l.capacity/4, l.tail-need)
	floor := l.tail
	for st := l.recent.first(); st != nil; st = l.recent.first() {
		if at := st.position - need; int64(at) >= 0 && (at >= ahead || len(st.last)*8 >= directBytes) {
			floor = st.position
			break
		}
		st.pull()
		if err := l.write(st); err != nil {
			return err
		}
	}
	l.floor = floor
	if err := l.scribe.commit(floor, inputs); err != nil {
		return err
	}
	if l.scribe.bytes > 2*l.live+slackBytes {
		return l.rewrite(inputs)
	}
	return nil
}

// write puts down what has become of a stream.
func (l *ledger) write(st *stream) (err error) {
	if st.gone {
		return l.scribe.gone(st)
	}
	if st.kept, err = l.scribe.stream(st); err != nil {
		return err
	}
	st.recorded = true
	l.live += st.kept
	l.saved.push(st)
	return nil
}

// rewrite begins the journal anew with what counts.
func (l *ledger) rewrite(inputs []*input) error {
	l.scribe.number, l.scribe.bytes, l.scribe.buf = 0, 0, l.scribe.buf[:0]
	err := l.journal.Replace(func(w io.Writer) error {
		l.scribe.write = func(p []byte) error {
			_, err := w.Write(p)
			return err
		}
		if err := l.scribe.head(&l.id); err != nil {
			return err
		}
		l.live = 0
		for st := l.saved.first(); st != nil; st = l.saved.next(st) {
			var err error
			if st.kept, err = l.scribe.stream(st); err != nil {
				return err
			}
			l.live += st.kept
		}
		return l.scribe.commit(l.floor, inputs)
	})
	l.scribe.write = l.journal.Append
	if err != nil {
		return err
	}
	for st := l.recent.first(); st != nil; {
		next := l.recent.next(st)
		st.recorded = false
		if st.gone {
			st.pull()
		}
		st = next
	}
	return nil
}

// groupBytes bounds the room that a group of frames takes, all of the shape of the
// first.
func groupBytes(heads []proto.Header) uint64 {
	elements := uint64(1)
	for _, n := range heads[0].Shape[:heads[0].NDim] {
		elements *= n
	}
	return uint64(len(heads)) * proto.MaxFrameBytes(8*elements)
}
