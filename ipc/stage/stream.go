package stage

import (
	"slices"

	"github.com/ndring/ndring/proto"
)

// stream is what the next result of a stream depends on.
type stream struct {
	of       *input
	id       uint64
	sequence uint32
	primed   bool // last, ndim and shape describe its last PRIMARY
	ended    bool // ended by the stage: frames that still come are dropped
	ndim     uint8
	shape    [proto.MaxDims]uint64
	last     []float64

	newer, older *stream // in the order of use within the input

	// What the next life finds, see ledger.
	position      uint64 // of the group of its last result
	source        uint64 // of the frame that it answers
	recorded      bool   // the journal names it
	gone          bool   // it ended since
	kept          int64  // bytes of its record, if that is its state
	before, after *stream
}

// continues reports whether a frame described by h can be subtracted from the one
// before it.
func (st *stream) continues(h *proto.Header) bool {
	return st.primed && st.ndim == h.NDim && slices.Equal(st.shape[:st.ndim], h.Shape[:h.NDim])
}

// streams is the state of one input: by id, and in the order of last use.
type streams struct {
	of         *input
	byID       map[uint64]*stream
	ends       stream // ends.newer is the oldest, ends.older the newest
	stateBytes int64
}

func (s *streams) init(of *input) {
	s.of, s.byID = of, map[uint64]*stream{}
	s.ends.newer, s.ends.older = &s.ends, &s.ends
}

// use returns the stream of that id, new if need be, as the one used last.
func (s *streams) use(id uint64) *stream {
	if st := s.ends.older; st != &s.ends && st.id == id {
		return st
	}
	st := s.byID[id]
	if st == nil {
		st = &stream{of: s.of, id: id}
		s.byID[id] = st
	} else {
		st.unlink()
	}
	newest := s.ends.older
	st.older, st.newer = newest, &s.ends
	newest.newer, s.ends.older = st, st
	return st
}

func (st *stream) unlink() {
	st.older.newer, st.newer.older = st.newer, st.older
}

// oldest is the stream that was silent longest, or nil.
func (s *streams) oldest() *stream {
	if s.ends.newer == &s.ends {
		return nil
	}
	return s.ends.newer
}

// newest is the stream that was used last, or nil.
func (s *streams) newest() *stream {
	if s.ends.older == &s.ends {
		return nil
	}
	return s.ends.older
}

// after is the stream used next after st, or nil.
func (s *streams) after(st *stream) *stream {
	if st.newer == &s.ends {
		return nil
	}
	return st.newer
}

// drop forgets a stream.
func (s *streams) drop(st *stream) {
	st.unlink()
	delete(s.byID, st.id)
	s.stateBytes -= int64(cap(st.last)) * 8
}

// keep stores y as the last PRIMARY of st.
func (s *streams) keep(st *stream, h *proto.Header, y []float64) {
	if cap(st.last) < len(y) || cap(st.last) > 4*len(y)+64 {
		s.stateBytes += int64(len(y)-cap(st.last)) * 8
		st.last = make([]float64, len(y))
	}
	st.last = st.last[:len(y)]
	copy(st.last, y)
	st.primed, st.ndim, st.shape = true, h.NDim, h.Shape
}

// surplus is the stream to end so that the bounds hold, or nil. The one used last
// always stays.
func (s *streams) surplus(maxStreams int, maxBytes int64) *stream {
	if len(s.byID) <= 1 || len(s.byID) <= maxStreams && s.stateBytes <= maxBytes {
		return nil
	}
	return s.oldest()
}
