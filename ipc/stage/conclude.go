package stage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ndring/ndring/proto"
)

// Over is an input that has ended.
type Over struct {
	Name   string
	RingID uint64 // proto.RingID.Short of it
}

// Ended reads the journal of ring out and returns the inputs that an
// earlier life of its stage read to their end, by name. All of them is in results: they
// need not be there any more, and are not given to New. A ring of such a name is
// another one; what it holds belongs to a next output ring. Of a journal that is none
// of out, or cut off before it says anything, there are none. The error is that of journal.
func Ended(journal io.Reader, out proto.RingID) ([]Over, error) {
	p, err := readRecords(journal, func(have *identification) error {
		if have.ring != out {
			return errOtherRing(have.ring, out)
		}
		return nil
	})
	if errors.Is(err, errNoPast) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var over []Over
	for _, in := range p.inputs {
		if in.ended {
			over = append(over, Over{in.name, in.id})
		}
	}
	slices.SortFunc(over, func(a, b Over) int { return cmp.Compare(a.Name, b.Name) })
	return over, nil
}

// conclude notes that all of the input is answered, and then lets its writer go: who
// does not find the ring any more finds the note.
func (in *input) conclude() error {
	if err := in.noteEnd(); err != nil {
		return fmt.Errorf("end of ring %q: %w", in.name, err)
	}
	c, ok := in.src.(io.Closer)
	if !ok {
		return nil
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("close ring %q: %w", in.name, err)
	}
	return nil
}

func (in *input) noteEnd() error {
	if in.locksClaim {
		in.stage.mu.Lock()
		defer in.stage.mu.Unlock()
	}
	in.over = true
	return in.stage.ledger.conclude(in.stage.inputs)
}

// adoptEnds takes over which inputs have ended, from a journal of no other use: that
// stays true.
func (s *Stage) adoptEnds(p *past) {
	for _, state := range p.inputs {
		if state.ended && s.inputOf(state.id) == nil {
			s.bereave(state.id, state.name).over = true
		}
	}
}
