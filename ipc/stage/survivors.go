package stage

import (
	"context"
	"fmt"
	"slices"
)

// Lives is a Source whose stream ids tell in which life of the ring's writer a stream
// was begun, as those of a bridge do: streams of a life that is over go on no more.
type Lives interface {
	Source
	// Life is the life that stream id belongs to.
	Life(id uint64) uint64
}

// follow ends the streams of earlier lives of the writer when the first one of a new
// life comes. Their ends are told behind the frame answered last: the one at hand is
// not answered yet if the stage dies among them.
func (in *input) follow(ctx context.Context, id uint64) error {
	if in.lives == nil {
		return nil
	}
	life := in.lives.Life(id)
	if st := in.streams.newest(); st == nil || in.lives.Life(st.id) == life {
		return nil
	}
	in.stage.cfg.Logger.Warn("streams ended: their writer was replaced", "ring", in.name)
	return in.endAll(ctx, func(st *stream) bool { return in.lives.Life(st.id) != life })
}

// endAll ends the streams that which is true for, the one silent longest first.
func (in *input) endAll(ctx context.Context, which func(*stream) bool) error {
	var next *stream
	for st := in.streams.oldest(); st != nil; st = next {
		next = in.streams.after(st)
		switch {
		case !which(st):
		case st.ended:
			in.dropEnded(st)
		default:
			add(&in.count.evicted)
			if err := in.end(ctx, ending{id: st.id, sequence: st.sequence, source: in.answered}); err != nil {
				return err
			}
		}
	}
	return nil
}

// bereave makes an input of a ring that an earlier life read and this one does not.
func (s *Stage) bereave(id uint64, name string) *input {
	if name == "" {
		name = fmt.Sprintf("%#x", id)
	}
	in := &input{stage: s, name: name, ringID: id}
	in.streams.init(in)
	s.inputs = append(s.inputs, in)
	return in
}

// abandon forgets the rings that are no input any more and have no streams left. Those
// that have ended are remembered: every life to come is to know.
func (s *Stage) abandon() {
	kept := s.inputs[:len(s.fed)]
	for _, in := range s.inputs[len(s.fed):] {
		if in.over {
			kept = append(kept, in)
			continue
		}
		if len(in.streams.byID) > 0 {
			s.cfg.Logger.Warn("streams ended: their ring is no input any more", "ring", in.name, "streams", len(in.streams.byID))
			kept = append(kept, in)
		}
	}
	s.inputs = kept
}

// endAbandoned ends the streams of rings that are no input any more.
func (s *Stage) endAbandoned(ctx context.Context) error {
	if len(s.inputs) == len(s.fed) {
		return nil
	}
	kept := slices.Clone(s.fed)
	for _, in := range s.inputs[len(s.fed):] {
		if in.over {
			kept = append(kept, in)
			continue
		}
		if err := in.endAll(ctx, func(*stream) bool { return true }); err != nil {
			return err
		}
	}
	s.inputs = kept
	return nil
}
