package stage

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/ndring/ndring/proto"
)

// A journal is a sequence of records, numbered from 1. Numbers are little-endian.
//
//	offset  bytes
//	0       4      CRC-32C of everything behind it
//	4       4      kind
//	8       8      size of the record, a multiple of 8
//	16      8      number of the record
//	24             body
const recordHead = 24

// journalVersion is the format of the records; another one is not read.
const journalVersion = 1

type recordKind uint32

const (
	headRecord   recordKind = 1 // the first: whose journal it is
	streamRecord recordKind = 2 // a stream and its last PRIMARY
	goneRecord   recordKind = 3 // a stream is no more
	commitRecord recordKind = 4 // what stands before it is complete up to its floor
)

// Sizes of the bodies; that of a stream without its values, that of a commit
// without its inputs.
const (
	headBody   = 8 + ringIDBytes + maxNameBytes + digestBytes
	streamBody = 48 + 8*proto.MaxDims
	goneBody   = 16
	commitBody = 16
	inputBody  = 24 + maxNameBytes

	ringIDBytes  = len(proto.RingID{})
	maxNameBytes = 64
	digestBytes  = 32
)

// Flags of a head, a stream and an input of a commit.
const (
	headNoDelta = 1 << 0

	streamPrimed = 1 << 0 // it has a last PRIMARY
	streamEnded  = 1 << 1 // the stage ended it and answers it no more

	inputBegan   = 1 << 0 // a frame of it was answered
	inputDoubted = 1 << 1 // streams of it may have been forgotten
	inputEnded   = 1 << 2 // it has ended, and all of it is answered
)

var le = binary.LittleEndian

// errRecord says that what follows in a journal is torn, or no journal.
var errRecord = errors.New("malformed record")

func checksum(sum uint32, b []byte) uint32 {
	return crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), b)
}

// identification says whose journal it is: a head record's body.
type identification struct {
	noDelta bool
	ring    proto.RingID
	kernel  string
	params  [digestBytes]byte // digest of what the kernel was made with
}

// commitment is a commit record's body.
type commitment struct {
	floor  uint64
	inputs []inputState
}

type inputState struct {
	id, answered   uint64
	began, doubted bool
	ended          bool
	name           string
}

// scribe gathers records and hands them on in pieces. Large values are handed on
// where they lie.
type scribe struct {
	write  func([]byte) error
	number uint64 // of the last record
	bytes  int64  // handed on and gathered
	buf    []byte
}

const (
	gatherBytes = 64 << 10 // hand on from here on
	directBytes = 4 << 10  // values of this size are not gathered
)

// begin starts a record. What is appended to the result is its body.
func (s *scribe) begin(kind recordKind) []byte {
	s.number++
	buf := le.AppendUint32(s.buf, 0)
	buf = le.AppendUint32(buf, uint32(kind))
	buf = le.AppendUint64(buf, 0)
	return le.AppendUint64(buf, s.number)
}

// end completes the record that begin started, with values behind it.
func (s *scribe) end(buf []byte, values []float64) (bytes int64, err error) {
	record, rest := buf[len(s.buf):], bytesOf(values)
	direct := len(rest) >= directBytes
	if !direct {
		buf = append(buf, rest...)
		record, rest = buf[len(s.buf):], nil
	}
	bytes = int64(len(record) + len(rest))
	le.PutUint64(record[8:], uint64(bytes))
	le.PutUint32(record, checksum(checksum(0, record[4:]), rest))
	s.buf, s.bytes = buf, s.bytes+bytes
	if !direct && len(s.buf) < gatherBytes {
		return bytes, nil
	}
	if err = s.flush(); err == nil && direct {
		err = s.write(rest)
	}
	return bytes, err
}

// flush hands on what is gathered.
func (s *scribe) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	err := s.write(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *scribe) head(id *identification) error {
	buf := s.begin(headRecord)
	buf = le.AppendUint32(buf, journalVersion)
	buf = le.AppendUint32(buf, flag(id.noDelta, headNoDelta))
	buf = append(buf, id.ring[:]...)
	buf = appendName(buf, id.kernel)
	_, err := s.end(append(buf, id.params[:]...), nil)
	return err
}

func (s *scribe) stream(st *stream) (bytes int64, err error) {
	buf := s.begin(streamRecord)
	for _, v := range [...]uint64{st.of.ringID, st.id, st.position, st.source} {
		buf = le.AppendUint64(buf, v)
	}
	buf = le.AppendUint32(buf, st.sequence)
	flags := flag(st.primed, streamPrimed) | flag(st.ended, streamEnded)
	buf = append(buf, byte(flags), st.ndim, 0, 0)
	buf = le.AppendUint64(buf, uint64(len(st.last)))
	for _, n := range st.shape {
		buf = le.AppendUint64(buf, n)
	}
	return s.end(buf, st.last)
}

func (s *scribe) gone(st *stream) error {
	buf := s.begin(goneRecord)
	buf = le.AppendUint64(buf, st.of.ringID)
	_, err := s.end(le.AppendUint64(buf, st.id), nil)
	return err
}

func (s *scribe) commit(floor uint64, inputs []*input) error {
	buf := s.begin(commitRecord)
	buf = le.AppendUint64(buf, floor)
	buf = le.AppendUint64(buf, uint64(len(inputs)))
	for _, in := range inputs {
		buf = le.AppendUint64(buf, in.ringID)
		buf = le.AppendUint64(buf, in.answered)
		flags := flag(in.began, inputBegan) | flag(in.doubted, inputDoubted) | flag(in.over, inputEnded)
		buf = le.AppendUint64(buf, uint64(flags))
		buf = appendName(buf, in.name)
	}
	if _, err := s.end(buf, nil); err != nil {
		return err
	}
	return s.flush()
}

func flag(set bool, bit uint32) uint32 {
	if set {
		return bit
	}
	return 0
}

func appendName(buf []byte, s string) []byte {
	s = s[:min(len(s), maxNameBytes)]
	buf = append(buf, s...)
	return append(buf, make([]byte, maxNameBytes-len(s))...)
}
