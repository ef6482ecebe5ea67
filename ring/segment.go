package ring

import (
	"fmt"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// Segment is the memory of one ring: identity, writer words and data. Its methods
// are safe for concurrent use; they read shared words once and trust none.
type Segment struct {
	id       proto.Identity
	words    memory // writer region
	data     memory
	capacity uint64
	mask     uint64
	kept     any
}

// Format makes mem, which is zeroed and id.SegmentBytes() long, a segment without
// a writer. The ready word is stored last. Errors wrap ErrMemory or those of
// proto.Identity.Check.
func Format(mem []byte, id proto.Identity) (*Segment, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	if uint64(len(mem)) != id.SegmentBytes() {
		return nil, fmt.Errorf("segment of %d bytes in %d: %w", id.SegmentBytes(), len(mem), ErrMemory)
	}
	s, err := newSegment(mem, id)
	if err != nil {
		return nil, err
	}
	id.Encode(mem)
	for _, off := range []uint64{proto.WrLimit, proto.WrTail} {
		storeRelease(s.words.word(off), id.Start)
	}
	s.markStart()
	head, err := newMemory(mem)
	if err != nil {
		return nil, err
	}
	atomic.StoreUint64(head.word(proto.IdReady), proto.ReadyWord)
	return s, nil
}

// Open checks the identity in mem and returns the segment. mem may be mapped
// read-only if no Writer is made of it. Errors wrap ErrMemory or those of
// proto.DecodeIdentity.
func Open(mem []byte) (*Segment, error) {
	id, err := proto.DecodeIdentity(mem)
	if err != nil {
		return nil, err
	}
	if uint64(len(mem)) < id.SegmentBytes() {
		return nil, fmt.Errorf("segment has %d bytes, its identity says %d: %w", len(mem), id.SegmentBytes(), proto.ErrTruncated)
	}
	return newSegment(mem, id)
}

func newSegment(mem []byte, id proto.Identity) (*Segment, error) {
	words, err := newMemory(mem[id.WriterOff:][:id.WriterBytes])
	if err != nil {
		return nil, err
	}
	data, err := newMemory(mem[id.DataOff:][:id.Capacity])
	if err != nil {
		return nil, err
	}
	return &Segment{id: id, words: words, data: data, capacity: id.Capacity, mask: id.Capacity - 1}, nil
}

// Keep lets x live as long as the segment, and every frame and claim of it, is
// referred to. It is for whoever made the segment, before others use it.
func (s *Segment) Keep(x any) { s.kept = x }

// Holds reports whether address lies in what the writer stores to: its words and
// the frames.
func (s *Segment) Holds(address uintptr) bool {
	return s.words.holds(address) || s.data.holds(address)
}

// Identity describes the ring. The result is shared and must not be changed.
func (s *Segment) Identity() *proto.Identity { return &s.id }

// Epoch is that of the present writer, or of the last one.
func (s *Segment) Epoch() uint64 {
	return atomic.LoadUint64(s.words.word(proto.WrEpoch))
}

// State is a snapshot of the writer's words. Each field was read once; together
// they need not belong to one instant.
type State struct {
	Epoch          uint64
	Ended          bool
	Final          uint64 // meaningful if Ended
	Flags          uint64
	PID            uint32 // a label
	StartedNs      uint64
	Limit          uint64
	Tail           uint64
	Number         uint64
	TailNs         uint64
	Dropped        uint64
	Blocks         uint64
	BlockedNs      uint64
	BlockedSinceNs uint64
	BlockedBy      uint64 // slot + 1, 0 = no reader yet
	Evictions      uint64
}

// State reads the writer's words.
func (s *Segment) State() State {
	load := func(off uint64) uint64 { return atomic.LoadUint64(s.words.word(off)) }
	final := load(proto.WrFinal)
	return State{
		Epoch: load(proto.WrEpoch), Ended: final != 0, Final: final &^ proto.KindMask,
		Flags: load(proto.WrFlags), PID: uint32(load(proto.WrPID)), StartedNs: load(proto.WrStartedNs),
		Limit: load(proto.WrLimit), Tail: load(proto.WrTail),
		Number: load(proto.WrNumber), TailNs: load(proto.WrTailNs),
		Dropped: load(proto.WrDropped), Blocks: load(proto.WrBlocks),
		BlockedNs: load(proto.WrBlockedNs), BlockedSinceNs: load(proto.WrBlockedSince),
		BlockedBy: load(proto.WrBlockedBy), Evictions: load(proto.WrEvictions),
	}
}

// commitWord is the commit word of the frame at position.
func (s *Segment) commitWord(position uint64) *uint64 {
	return s.data.word(position & s.mask)
}

// toWrap is how many bytes lie between position and the next multiple of the
// capacity.
func (s *Segment) toWrap(position uint64) uint64 {
	return s.capacity - position&s.mask
}

// at is the memory from position to the wrap.
func (s *Segment) at(position uint64) []byte {
	return s.data.slice(position&s.mask, s.toWrap(position))
}

// intact reports whether what was read at position, before this call, was not
// being overwritten. SYNC: limit.
func (s *Segment) intact(position uint64) bool {
	loadFence()
	limit := atomic.LoadUint64(s.words.word(proto.WrLimit))
	return int64(limit-position) <= int64(s.capacity)
}

// vanished reports whether the ring is committed beyond position but no frame is
// there: its bytes were taken away, as by a hole punched into the file. The tail is
// read first, and stored by the writer after the commit words below it.
func (s *Segment) vanished(position uint64) error {
	tail := s.sharedTail()
	if int64(tail-position) <= 0 || atomic.LoadUint64(s.commitWord(position)) != 0 || !s.intact(position) {
		return nil
	}
	return fmt.Errorf("no frame at position %d, the ring is committed up to %d: %w", position, tail, ErrCorrupt)
}

// ended reports whether the ring ends at position.
func (s *Segment) ended(position uint64) bool {
	return atomic.LoadUint64(s.words.word(proto.WrFinal)) == position|1
}
