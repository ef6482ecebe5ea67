package stage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ndring/ndring/proto"
)

// recordReader reads the records of a journal until the first that is none.
type recordReader struct {
	r      io.Reader
	number uint64 // of the last record
	buf    []byte
}

// readStep is how much memory is taken at a time for bytes that are announced and
// may not be there.
const readStep = 1 << 20

// next returns the next record; body is valid until the call after. At the end of
// the journal the error is io.EOF; for anything torn it wraps errRecord.
func (rr *recordReader) next() (kind recordKind, body []byte, err error) {
	rr.buf = append(rr.buf[:0], make([]byte, recordHead)...)
	if _, err := io.ReadFull(rr.r, rr.buf); err != nil {
		return 0, nil, rr.cutShort(err)
	}
	kind = recordKind(le.Uint32(rr.buf[4:]))
	size, number := le.Uint64(rr.buf[8:]), le.Uint64(rr.buf[16:])
	if number != rr.number+1 || size < recordHead || size%8 != 0 || size > proto.MaxCapacityBytes {
		return 0, nil, fmt.Errorf("record of %d bytes and number %d behind record %d: %w", size, number, rr.number, errRecord)
	}
	for left := size - recordHead; left > 0; {
		at, step := len(rr.buf), min(left, readStep)
		rr.buf = append(rr.buf, make([]byte, step)...)
		if _, err := io.ReadFull(rr.r, rr.buf[at:]); err != nil {
			return 0, nil, rr.cutShort(errors.Join(err, io.ErrUnexpectedEOF))
		}
		left -= step
	}
	if want, sum := le.Uint32(rr.buf), checksum(0, rr.buf[4:]); sum != want {
		return 0, nil, fmt.Errorf("record %d has CRC %#x, its bytes have %#x: %w", number, want, sum, errRecord)
	}
	rr.number = number
	return kind, rr.buf[recordHead:], nil
}

// cutShort makes the end of the journal in the middle of a record errRecord.
func (rr *recordReader) cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cut short behind record %d: %w", rr.number, errRecord)
	}
	return err
}

func tooShort(what string, have int) error {
	return fmt.Errorf("%s record with a body of %d bytes: %w", what, have, errRecord)
}

func decodeHead(b []byte) (id identification, err error) {
	if len(b) < 4 {
		return id, tooShort("first", len(b))
	}
	if v := le.Uint32(b); v != journalVersion {
		return id, fmt.Errorf("journal of version %d, this program reads %d: %w", v, journalVersion, errRecord)
	}
	if len(b) != headBody {
		return id, tooShort("first", len(b))
	}
	id.noDelta = le.Uint32(b[4:])&headNoDelta != 0
	b = b[8:]
	b = b[copy(id.ring[:], b):]
	id.kernel = name(b)
	copy(id.params[:], b[maxNameBytes:])
	return id, nil
}

func name(b []byte) string {
	s, _, _ := bytes.Cut(b[:maxNameBytes], []byte{0})
	return string(s)
}

// decodeStream fills in st but for the input, whose id it returns.
func decodeStream(b []byte, st *stream) (from uint64, err error) {
	if len(b) < streamBody {
		return 0, tooShort("stream", len(b))
	}
	word := func(i int) uint64 { return le.Uint64(b[8*i:]) }
	from, st.id, st.position, st.source = word(0), word(1), word(2), word(3)
	st.sequence = le.Uint32(b[32:])
	st.primed, st.ended, st.ndim = b[36]&streamPrimed != 0, b[36]&streamEnded != 0, b[37]
	if st.ndim > proto.MaxDims || word(5) != uint64(len(b)-streamBody)/8 {
		return 0, fmt.Errorf("stream record with %d dimensions and %d values in %d bytes: %w", st.ndim, word(5), len(b), errRecord)
	}
	elements := uint64(1)
	for i := range st.shape {
		st.shape[i] = word(6 + i)
		if i < int(st.ndim) {
			elements *= st.shape[i]
		}
	}
	if elements != word(5) && st.primed {
		return 0, fmt.Errorf("stream record of shape %v with %d values: %w", st.shape[:st.ndim], word(5), errRecord)
	}
	values := b[streamBody:]
	st.last = make([]float64, len(values)/8)
	for i := range st.last {
		st.last[i] = math.Float64frombits(le.Uint64(values[8*i:]))
	}
	return from, nil
}

func decodeGone(b []byte) (from, id uint64, err error) {
	if len(b) != goneBody {
		return 0, 0, tooShort("end of stream", len(b))
	}
	return le.Uint64(b), le.Uint64(b[8:]), nil
}

func decodeCommit(b []byte) (c commitment, err error) {
	if len(b) < commitBody || (len(b)-commitBody)%inputBody != 0 || le.Uint64(b[8:]) != uint64((len(b)-commitBody)/inputBody) {
		return c, tooShort("commit", len(b))
	}
	c.floor = le.Uint64(b)
	for b = b[commitBody:]; len(b) > 0; b = b[inputBody:] {
		flags := le.Uint64(b[16:])
		c.inputs = append(c.inputs, inputState{
			id: le.Uint64(b), answered: le.Uint64(b[8:]),
			began: flags&inputBegan != 0, doubted: flags&inputDoubted != 0, ended: flags&inputEnded != 0, name: name(b[24:]),
		})
	}
	return c, nil
}
