package stage

import (
	"slices"

	"github.com/ndring/ndring/proto"
)

// stream is what the next result of a stream depends on.
type stream struct {
	id       uint64
	sequence uint32
	primed   bool // last, ndim and shape describe its last PRIMARY
	ended    bool // ended by the stage: frames that still come are dropped
	ndim     uint8
	shape    [proto.MaxDims]uint64
	last     []float64

	newer, older *stream
}

// continues reports whether a frame described by h can be subtracted from the one
// before it.
func (st *stream) continues(h *proto.Header) bool {
	return st.primed && st.ndim == h.NDim && slices.Equal(st.shape[:st.ndim], h.Shape[:h.NDim])
}

// streams is the state of one input: by id, and in the order of last use.
type streams struct {
	byID       map[uint64]*stream
	ends       stream // ends.newer is the oldest, ends.older the newest
	stateBytes int64
}

func newStreams() *streams {
	s := &streams{byID: map[uint64]*stream{}}
	s.ends.newer, s.ends.older = &s.ends, &s.ends
	return s
}

// use returns the stream of that id, new if need be, as the one used last.
func (s *streams) use(id uint64) *stream {
	if st := s.ends.older; st != &s.ends && st.id == id {
		return st
	}
	st := s.byID[id]
	if st == nil {
		st = &stream{id: id}
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

// drop forgets a stream. Forgetting an unknown one does nothing.
func (s *streams) drop(id uint64) {
	st := s.byID[id]
	if st == nil {
		return
	}
	st.unlink()
	delete(s.byID, id)
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
	return s.ends.newer
}
