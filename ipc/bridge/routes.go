package bridge

import "sync"

// routes finds the client a result belongs to. A stream id is a random number of
// this bridge in the high half and a count in the low one, so that no id is used
// twice, by this bridge or one before it.
type routes struct {
	mu   sync.RWMutex
	base uint64
	next uint64
	byID map[uint64]*stream
}

// join gives s an id and makes it findable.
func (r *routes) join(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	s.id = r.base + r.next
	r.byID[s.id] = s
}

func (r *routes) leave(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, s.id)
}

// find returns nil for a stream that is not served here.
func (r *routes) find(id uint64) *stream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byID[id]
}

// all returns the streams served now.
func (r *routes) all() []*stream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*stream, 0, len(r.byID))
	for _, s := range r.byID {
		out = append(out, s)
	}
	return out
}

// Life tells the streams of one life of a bridge from those of another by their ids.
func Life(stream uint64) uint64 { return stream >> 32 }
