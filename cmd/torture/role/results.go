//go:build linux

package role

import (
	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// results checks what a stage with the kernel identity made of the frames of a writer:
// a PRIMARY is the frame, and counts as it; a DELTA is its difference to the PRIMARY
// before.
type results struct {
	*reader
	last, now []float64 // PRIMARY before this one, and this one
	number    uint64    // of the source of now
}

// verify checks a frame of the output ring.
func (r *results) verify(f *ring.Frame) {
	h := f.Header()
	if h.Role == proto.RoleDelta {
		r.delta(f)
		return
	}
	number, author, whole := parse(f.Payload(), r.table)
	if !whole || f.Kind() != proto.KindData {
		r.tell(history.Torn, r.next, f.Position(), number)
		return
	}
	r.verified(number, author)
	r.last, r.now = r.now, append(r.last[:0], f.Float64s()...)
	r.number = number
}

// delta checks a difference. The one that belongs to a PRIMARY of an earlier life of
// this reader cannot be checked.
func (r *results) delta(f *ring.Frame) {
	d := f.Float64s()
	if r.now == nil || len(r.last) != len(r.now) {
		if r.now != nil && len(r.last) > 0 {
			r.tell(history.Torn, r.number, f.Position(), uint64(len(r.last)))
		}
		return
	}
	for i, v := range d {
		if len(d) != len(r.now) || v != r.now[i]-r.last[i] {
			r.tell(history.Torn, r.number, f.Position(), uint64(i))
			return
		}
	}
}
