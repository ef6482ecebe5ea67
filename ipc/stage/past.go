package stage

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/ndring/ndring/proto"
)

// past is what a journal says of an earlier life of the stage.
type past struct {
	commitment
	committed bool
	streams   map[streamKey]*stream
}

// streamKey names a stream among those of all inputs.
type streamKey struct{ from, id uint64 }

// errNoPast says why nothing is known but what the output ring holds.
var errNoPast = errors.New("no state of streams")

// readPast reads a journal up to the last commit in it. The error wraps errNoPast
// when there is none of this ring, ErrOther when a different stage wrote it.
func readPast(j Journal, want *identification) (*past, error) {
	f, err := j.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errNoPast, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRecords(f, want.accepts)
}

// readRecords is readPast of a journal whose head suits.
func readRecords(r io.Reader, suits func(*identification) error) (*past, error) {
	p := &past{streams: map[streamKey]*stream{}}
	records := recordReader{r: bufio.NewReaderSize(r, 64<<10)}
	for {
		kind, body, err := records.next()
		if err == nil {
			err = p.take(kind, body, records.number, suits)
		}
		switch {
		case err == nil:
		case err != io.EOF && !errors.Is(err, errRecord):
			return nil, err
		case !p.committed:
			return nil, fmt.Errorf("%w: %w", errNoPast, err)
		default:
			return p, nil // what is torn stands behind the last commit
		}
	}
}

// take takes in one record.
func (p *past) take(kind recordKind, body []byte, number uint64, suits func(*identification) error) error {
	if (kind == headRecord) != (number == 1) {
		return fmt.Errorf("record %d of kind %d: %w", number, kind, errRecord)
	}
	switch kind {
	case headRecord:
		have, err := decodeHead(body)
		if err == nil {
			err = suits(&have)
		}
		return err
	case streamRecord:
		st := &stream{}
		from, err := decodeStream(body, st)
		if err == nil {
			p.streams[streamKey{from, st.id}] = st
		}
		return err
	case goneRecord:
		from, id, err := decodeGone(body)
		delete(p.streams, streamKey{from, id})
		return err
	case commitRecord:
		c, err := decodeCommit(body)
		if err == nil {
			p.commitment, p.committed = c, true
		}
		return err
	}
	return fmt.Errorf("record %d of unknown kind %d: %w", number, kind, errRecord)
}

// accepts reports whether a journal is that of the output ring and of this stage.
func (want *identification) accepts(have *identification) error {
	switch {
	case have.ring != want.ring:
		return errOtherRing(have.ring, want.ring)
	case have.kernel != want.kernel:
		return fmt.Errorf("its results are of kernel %s, this stage has %s; start it with the same: %w", have.kernel, want.kernel, ErrOther)
	case have.params != want.params:
		return fmt.Errorf("its results are of kernel %s with other parameters; start it with the same: %w", have.kernel, ErrOther)
	case have.noDelta != want.noDelta:
		return fmt.Errorf("its results are with DELTA: %v, this stage has DELTA: %v; start it with the same: %w", !have.noDelta, !want.noDelta, ErrOther)
	}
	return nil
}

func errOtherRing(have, want proto.RingID) error {
	return fmt.Errorf("of ring %v, this is ring %v: %w", have, want, errRecord)
}

// inOrder are the streams in the order of their last results.
func (p *past) inOrder() []streamKey {
	keys := make([]streamKey, 0, len(p.streams))
	for key := range p.streams {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b streamKey) int {
		return cmp.Compare(int64(p.streams[a].position-p.streams[b].position), 0)
	})
	return keys
}

// header is what continues compares.
func (st *stream) header() *proto.Header {
	return &proto.Header{NDim: st.ndim, Shape: st.shape}
}
