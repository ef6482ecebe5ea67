package provenance

import (
	"fmt"
	"slices"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// Audit checks every frame of a ring against what the ring's provenance says it
// must hold: values, order, gaps, and that each PRIMARY has its DELTA. It is for
// one goroutine.
type Audit struct {
	Primary  uint64 // PRIMARY frames that were right
	Delta    uint64 // DELTA frames that were right
	Rounded  uint64 // values of DELTA whose difference no float64 holds exactly
	computer *recomputer
	shape    []uint64
	count    int // elements of a frame
	lossy    bool
	streams  map[streamKey]*progress
}

// streamKey tells streams apart: several inputs of a stage may use one id.
type streamKey struct {
	source, stream uint64
}

// progress is how far one stream was checked.
type progress struct {
	frame   uint64 // source frame of primary
	owed    bool   // its DELTA must come next
	delta   []float64
	primary []float64
	before  []float64
}

// NewAudit returns an audit of a ring's frames. A lossy one accepts gaps. Errors
// wrap ErrUnknown, proto.ErrShape or those of package kernel.
func NewAudit(p Provenance, lossy bool) (*Audit, error) {
	r, err := newRecomputer(p)
	if err != nil {
		return nil, err
	}
	d, err := nd.Contiguous(r.dtype, p.Source.Shape...)
	if err != nil {
		return nil, fmt.Errorf("the ring's metadata: %w: %w", ErrUnknown, err)
	}
	return &Audit{
		computer: r, shape: slices.Clone(d.Shape[:d.NDim]), count: d.Elems(), lossy: lossy,
		streams: map[streamKey]*progress{},
	}, nil
}

// Frame checks the next frame. Errors wrap ErrDiffers or ErrGap.
func (a *Audit) Frame(h *proto.Header, x nd.Array) error {
	key := streamKey{h.SourceID, h.Stream}
	if h.Kind == proto.KindStreamEnd {
		return a.end(key)
	}
	if h.Kind != proto.KindData {
		return nil
	}
	if !slices.Equal(h.Shape[:h.NDim], a.shape) {
		return fmt.Errorf("frame %d has shape %v, want %v: %w", h.Number, h.Shape[:h.NDim], a.shape, ErrDiffers)
	}
	if h.ExtFlags&proto.ExtStrides != 0 { // nor may zero strides make us compute what no payload holds
		return fmt.Errorf("frame %d has strides, want C order: %w", h.Number, ErrDiffers)
	}
	s := a.streams[key]
	if s == nil {
		return a.first(key, h, x)
	}
	if h.Role == proto.RoleDelta {
		return a.checkDelta(s, sourceFrame(h, s.frame), x)
	}
	n := sourceFrame(h, s.frame+1)
	if s.owed && !a.lossy {
		return fmt.Errorf("frame %d has PRIMARY but no DELTA: %w", s.frame, ErrGap)
	}
	if n != s.frame+1 && (!a.lossy || int64(n-s.frame) <= 0) {
		return fmt.Errorf("frame %d follows frame %d: %w", n, s.frame, ErrGap)
	}
	s.owed = a.computer.delta
	return a.checkPrimary(s, n, x)
}

// first starts a stream. Whoever joins late may meet the second half of a pair.
func (a *Audit) first(key streamKey, h *proto.Header, x nd.Array) error {
	n := sourceFrame(h, 0)
	s := &progress{}
	a.streams[key] = s
	if h.Role == proto.RoleDelta {
		s.frame = n
		s.primary = a.computer.primary(s.primary, n, a.count)
		return a.checkDelta(s, n, x)
	}
	return a.checkPrimary(s, n, x)
}

// checkPrimary recomputes frame n. The frame before it becomes the one that DELTA
// refers to.
func (a *Audit) checkPrimary(s *progress, n uint64, x nd.Array) error {
	s.before, s.primary = s.primary, s.before
	if len(s.before) == 0 || n != s.frame+1 {
		s.before = s.before[:0]
	}
	s.frame = n
	s.primary = a.computer.primary(s.primary, n, a.count)
	if err := a.computer.check("PRIMARY", n, x, s.primary); err != nil {
		return err
	}
	a.Primary++
	return nil
}

// checkDelta checks that previous PRIMARY + DELTA is the current PRIMARY, and that
// DELTA is their difference rounded once, bit for bit.
func (a *Audit) checkDelta(s *progress, n uint64, x nd.Array) error {
	if n != s.frame {
		return fmt.Errorf("DELTA of frame %d follows PRIMARY of frame %d: %w", n, s.frame, ErrGap)
	}
	if !a.computer.delta || n == 0 {
		return fmt.Errorf("DELTA of frame %d where none belongs: %w", n, ErrDiffers)
	}
	s.owed = false
	if len(s.before) != a.count {
		s.before = a.computer.primary(s.before, n-1, a.count)
	}
	s.delta = slices.Grow(s.delta[:0], a.count)[:a.count]
	for i, y := range s.primary {
		s.delta[i] = y - s.before[i]
	}
	if err := a.computer.check("DELTA", n, x, s.delta); err != nil {
		return err
	}
	for i, d := range s.delta {
		if s.before[i]+d == s.primary[i] || d != d {
			continue
		}
		if exact(s.primary[i], s.before[i], d) {
			return fmt.Errorf("frame %d, value %d: %v before + DELTA %v is not PRIMARY %v: %w", n, i, s.before[i], d, s.primary[i], ErrDiffers)
		}
		a.Rounded++
	}
	a.Delta++
	return nil
}

// exact reports whether d is y-x without a rounding error, by Knuth's two-sum.
func exact(y, x, d float64) bool {
	back := d - y
	return (y-(d-back))+(-x-back) == 0
}

func (a *Audit) end(key streamKey) error {
	s := a.streams[key]
	delete(a.streams, key)
	if s != nil && s.owed && !a.lossy {
		return fmt.Errorf("frame %d has PRIMARY but no DELTA: %w", s.frame, ErrGap)
	}
	return nil
}

// Close checks that nothing is owed at the end of the ring.
func (a *Audit) Close() error {
	for key := range a.streams {
		if err := a.end(key); err != nil {
			return err
		}
	}
	return nil
}

// sourceFrame is the number of the source frame that h was made of: the frame's
// own number, or its sequence, which counts from 1, extended to 64 bits so that it
// is nearest to next.
func sourceFrame(h *proto.Header, next uint64) uint64 {
	if h.ExtFlags&proto.ExtStream == 0 {
		return h.Number
	}
	return next + uint64(int64(int32(h.Sequence-1-uint32(next))))
}
