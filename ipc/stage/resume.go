package stage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// errEndOfRing ends a walk over what is committed.
var errEndOfRing = errors.New("end of what is committed")

// Resume takes up the work of an earlier life of this stage from what that life
// committed to out, the ring that Run will write, and to Config.Journal. It is called
// before Run and before anything else is written to out, in a first life too if there
// is a journal. out is not used any more when it returns.
//
// Every result names the position of its source, so the last source found for
// an input is the last frame answered: Run skips all frames up to it. The last
// PRIMARY of each stream is the state DELTA needs. A stream whose last PRIMARY is
// known to neither of them is ended when its next frame comes, because its DELTA
// would be wrong.
//
// The error wraps ring.ErrCorrupt, ErrOther, or is one of the journal's.
func (s *Stage) Resume(ctx context.Context, out *ring.Segment) error {
	if err := ring.Guard(func() error { return s.resume(ctx, out) }, out); err != nil {
		return fmt.Errorf("resume from ring %q: %w", out.Identity().Name, err)
	}
	return nil
}

func (s *Stage) resume(ctx context.Context, out *ring.Segment) error {
	id := out.Identity()
	if s.cfg.Journal != nil {
		s.ledger = newLedger(s.cfg.Journal, s.identification(id.RingID), id.Capacity)
	}
	o, err := s.recollect(out)
	if err != nil {
		return err
	}
	floor := o.Position()
	for f, err := range o.Frames(ctx) {
		if errors.Is(err, errEndOfRing) {
			break
		}
		if err != nil {
			return err
		}
		s.recall(f)
	}
	s.abandon()
	if len(s.fed) == 0 && !slices.ContainsFunc(s.inputs, func(in *input) bool { return in.over }) {
		return fmt.Errorf("no input ring, and none that has ended: %w", ErrConfig)
	}
	if s.ledger == nil {
		return nil
	}
	s.ledger.floor, s.ledger.tail = floor, o.Position()
	return s.ledger.rewrite(s.inputs)
}

func (s *Stage) identification(id proto.RingID) identification {
	return identification{
		noDelta: s.cfg.NoDelta, ring: id, kernel: s.cfg.Kernel.Name(),
		params: sha256.Sum256([]byte(s.cfg.Params)),
	}
}

// recollect takes in the journal and returns an observer that stands where the
// results behind it begin. If there is no journal that is complete up to a position
// the ring still holds, the observer begins at the oldest frame, and unless that is
// the first of the ring, streams may have been forgotten.
func (s *Stage) recollect(out *ring.Segment) (*ring.Observer, error) {
	cfg := ring.ObserverConfig{Wait: func(context.Context, uint64) error { return errEndOfRing }}
	p, err := s.readJournal()
	if err == nil {
		at := cfg
		at.Start, at.Position, at.Known = proto.StartPosition, p.floor, true
		var o *ring.Observer
		if o, err = ring.NewObserver(out, at); err == nil {
			s.adopt(p)
			return o, nil
		}
		s.adoptEnds(p)
	}
	if !errors.Is(err, errNoPast) && !errors.Is(err, ring.ErrNoPosition) {
		return nil, err
	}
	cfg.Start = proto.StartOldest
	o, failed := ring.NewObserver(out, cfg)
	if failed == nil && o.Position() != out.Identity().Start {
		s.doubt(err)
	}
	return o, failed
}

func (s *Stage) readJournal() (*past, error) {
	if s.ledger == nil {
		return nil, errNoPast
	}
	return readPast(s.cfg.Journal, &s.ledger.id)
}

// doubt notes that streams may have been forgotten.
func (s *Stage) doubt(why error) {
	s.cfg.Logger.Warn("state of streams is lost: those that the output ring does not show any more end at their next frame", "reason", why)
	for _, in := range s.inputs {
		in.doubted = true
	}
}

// adopt takes over the streams of a journal. They are those that the ring may not
// show any more.
func (s *Stage) adopt(p *past) {
	for _, state := range p.inputs {
		in := s.inputOf(state.id)
		if in == nil {
			in = s.bereave(state.id, state.name)
			in.over = state.ended
		}
		in.answered, in.began, in.doubted = state.answered, state.began, state.doubted
	}
	for _, key := range p.inOrder() {
		in := s.inputOf(key.from)
		if in == nil {
			in = s.bereave(key.from, "")
		}
		old, st := p.streams[key], in.streams.use(key.id)
		st.sequence, st.ended, st.source = old.sequence, old.ended, old.source
		if old.primed {
			in.streams.keep(st, old.header(), old.last)
		}
		s.ledger.adopt(st, old.position)
	}
}

// inputOf is the input whose results name id, or nil.
func (s *Stage) inputOf(id uint64) *input {
	for _, in := range s.inputs {
		if in.ringID == id {
			return in
		}
	}
	return nil
}

// recall learns from one committed result.
func (s *Stage) recall(f *ring.Frame) {
	h := f.Header()
	if h.ExtFlags&proto.ExtSource == 0 {
		return
	}
	in := s.inputOf(h.SourceID)
	if in == nil {
		in = s.bereave(h.SourceID, "")
	}
	in.recall(f, &h)
}

func (in *input) recall(f *ring.Frame, h *proto.Header) {
	in.answered, in.began = h.Source, true // results stand in the order of their sources
	switch {
	case f.Kind() == proto.KindStreamEnd:
		in.recallEnd(f, h)
	case f.Kind() == proto.KindData && h.Role == proto.RolePrimary:
		st := in.streams.use(h.Stream)
		st.sequence, st.source, st.ended = h.Sequence, h.Source, false
		if y := f.Float64s(); y != nil && !in.stage.cfg.NoDelta {
			in.streams.keep(st, h, y)
		}
		in.stage.ledger.note(st, f.Position())
	}
}

// recallEnd drops a stream. Where streams may have been forgotten, this may have been
// the end of one of those: it is not answered again.
func (in *input) recallEnd(f *ring.Frame, h *proto.Header) {
	if st := in.streams.byID[h.Stream]; st != nil {
		in.streams.drop(st)
		in.stage.ledger.forget(st, f.Position())
	}
	if in.doubted {
		st := in.streams.use(h.Stream)
		st.sequence, st.ended = h.Sequence, true
		in.stage.ledger.note(st, f.Position())
	}
}
