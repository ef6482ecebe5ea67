package script

import (
	"fmt"

	"github.com/ndring/ndring/proto"
)

// All builds every script.
func All() []*Script {
	var all []*Script
	add := func(short bool, s *Script) {
		s.Short = short
		all = append(all, s)
	}
	for _, start := range []uint64{0, 1<<63 - 1024, 1<<64 - 1024} {
		add(start == 0, inline(start))
	}
	add(true, kinds())
	for lines := uint64(1); lines <= 4; lines++ {
		add(lines == 3, wrap(lines, capacity))
	}
	add(false, wrap(2, 1<<63))
	add(false, wrap(2, 0)) // 2^64
	add(true, groups())
	add(true, batches())
	add(true, aborts())
	add(true, full())
	add(true, drops())
	add(false, large())
	add(false, halves())
	add(true, visits())
	add(false, comings())
	add(true, eviction())
	add(true, takeovers())
	add(false, recovery())
	add(false, relays())
	return all
}

// laps brings a ring with old frames all over it: two laps, all taken by reader 0.
func (s *Script) laps() {
	s.quickly(func() {
		s.attach(proto.StartOldest, 0, 0)
		for s.End(len(s.Frames))-s.Start < 2*capacity {
			for _, n := range []uint64{40, 500, 3000} {
				s.publish(bytes(n))
				s.read(0, 1)
			}
		}
	})
}

// inline: small frames, past marks and past 2^63 and 2^64 where start says so.
func inline(start uint64) *Script {
	s := newScript(fmt.Sprintf("inline from %#x", start), start)
	s.attach(proto.StartOldest, 0, 0)
	for range 24 {
		s.publish(floats(5))
		s.read(0, 1)
	}
	s.finish()
	return s
}

// kinds: extended frames, over old ones.
func kinds() *Script {
	s := newScript("extended", 0)
	s.laps()
	s.publish(proto.Header{DType: proto.F32, NDim: 2, Shape: [8]uint64{6, 7}})
	s.publish(proto.Header{DType: proto.I16, NDim: 2, Shape: [8]uint64{4, 5}, Strides: [8]int64{2, 8}, ExtFlags: proto.ExtStrides})
	s.publish(proto.Header{
		DType: proto.F64, NDim: 1, Shape: [8]uint64{9}, ExtFlags: proto.ExtStream | proto.ExtSource | proto.ExtTime,
		Role: proto.RoleDelta, Sequence: 7, TimeNs: 8, Stream: 9, Source: 10, SourceID: 11,
	})
	s.read(0, 2)
	s.publish(proto.Header{Kind: proto.KindStreamEnd, DType: proto.U8, NDim: 1, ExtFlags: proto.ExtStream, Stream: 9})
	s.publish(bytes(0))
	s.read(0, 3)
	return s
}

// wrap: frames that do not fit before the wrap at position, which is that many lines
// away; once into fresh memory and once over old frames.
func wrap(lines, position uint64) *Script {
	s := newScript(fmt.Sprintf("wrap %d lines before %#x", lines, position), position-lines*proto.LineBytes)
	s.attach(proto.StartOldest, 0, 0)
	s.publish(bytes(lines * 64)) // 24 bytes of header too many
	s.read(0, 1)
	s.upToWrap(lines * proto.LineBytes)
	s.publish(proto.Header{DType: proto.U8, NDim: 2, Shape: [8]uint64{lines, 64}})
	s.publish(floats(5))
	s.read(0, 2)
	return s
}

func (s *Script) toWrap() uint64 {
	return capacity - s.End(len(s.Frames))&(capacity-1)
}

// upToWrap has reader 0 follow frames up to left bytes before a wrap.
func (s *Script) upToWrap(left uint64) {
	s.quickly(func() {
		for s.toWrap() != left {
			n := uint64(40)
			if s.toWrap() > left+4096 {
				n = 2000
			}
			s.publish(bytes(n))
			s.read(0, 1)
		}
	})
}

// groups: of two, of unlike ones, across the wrap, of half the ring.
func groups() *Script {
	s := newScript("groups", 0)
	s.laps()
	s.group(floats(5), floats(5))
	s.group(floats(5), proto.Header{DType: proto.F64, NDim: 2, Shape: [8]uint64{3, 4}}, bytes(100))
	s.read(0, 5)
	s.upToWrap(128)
	s.group(floats(5), floats(13))
	s.read(0, 2)
	s.upToWrap(capacity/4 - 640)
	s.group(bytes(capacity/8), bytes(capacity/8))
	s.read(0, 2)
	return s
}

// batches: of eight, over old frames.
func batches() *Script {
	s := newScript("batches", 0)
	s.laps()
	s.publish(floats(5))
	for range 3 {
		s.batch(8, 5)
		s.read(0, 8)
	}
	s.read(0, 1)
	return s
}

// aborts: a frame, and one with padding before it, are claimed, written and given
// up; what follows lies in the same place.
func aborts() *Script {
	s := newScript("aborts", capacity-256)
	s.attach(proto.StartOldest, 0, 0)
	s.abandon(bytes(130))
	s.publish(floats(5))
	s.abandon(bytes(1000))
	s.publish(floats(5))
	s.read(0, 2)
	s.abandon(proto.Header{DType: proto.U8, NDim: 2, Shape: [8]uint64{9, 50}})
	s.publish(bytes(1000))
	s.read(0, 1)
	return s
}

// full: the writer waits at the gate, for a first reader's frames and after laps.
func full() *Script {
	s := newScript("full", 0)
	s.laps()
	s.quickly(func() {
		for range 7 {
			s.publish(bytes(8000))
		}
		for range 12 {
			s.publish(bytes(400))
		}
	})
	s.blocked(0, 1, bytes(4000))
	s.blocked(0, 2, proto.Header{DType: proto.U8, NDim: 2, Shape: [8]uint64{100, 120}})
	s.read(0, 18)
	s.wakes(0, floats(5))
	return s
}

// drops: the same, where the policy is to drop.
func drops() *Script {
	s := newScript("drops", 0)
	s.ID.Policy = proto.PolicyDropNewest
	s.laps()
	s.quickly(func() {
		for range 3 {
			s.publish(bytes(capacity / 4))
		}
	})
	s.dropped(bytes(capacity / 4))
	s.dropped(bytes(capacity / 4))
	s.read(0, 2)
	s.publish(bytes(3000))
	s.read(0, 2)
	return s
}

// large: frames that make the writer prove room ahead.
func large() *Script {
	s := newScript("large", 0)
	s.laps()
	for range 6 {
		s.publish(bytes(2048))
		s.read(0, 1)
	}
	for range 4 {
		s.publish(bytes(capacity / 4))
		s.read(0, 1)
	}
	return s
}

// comings: readers come and go in every way, while frames lie in the ring.
func comings() *Script {
	s := newScript("attach", 0)
	s.laps()
	from := len(s.Frames)
	s.quickly(func() {
		for range 10 {
			s.publish(floats(5))
		}
	})
	oldest := s.attach(proto.StartOldest, 0, 0)
	latest := s.attach(proto.StartLatest, 0, 0)
	middle := s.attach(proto.StartPosition, from+4, 0)
	s.publish(floats(5))
	s.read(middle, 2)
	s.lose(middle)
	s.publish(floats(5))
	s.reattach(middle)
	s.released(middle)
	s.detach(oldest)
	s.publish(floats(5))
	s.read(latest, 3)
	s.detach(middle)
	s.detach(0)
	s.quickly(func() {
		for range 5 {
			s.publish(bytes(capacity / 4))
			s.read(latest, 1)
		}
	})
	s.attach(proto.StartLatest, 0, 0)
	s.publish(floats(5))
	return s
}

// visits: one reader comes, dies and comes back.
func visits() *Script {
	s := newScript("attach and return", 0)
	s.laps()
	s.publish(floats(5))
	r := s.attach(proto.StartOldest, 0, 0)
	s.publish(floats(5))
	s.lose(r)
	s.publish(floats(5))
	s.reattach(r)
	s.read(r, 1)
	s.detach(r)
	return s
}

// halves: a group of half the ring with padding before it, when the shared tail is as
// old as it gets: the limit would pass it by more than the capacity.
func halves() *Script {
	s := newScript("half ring", 0)
	s.quickly(func() {
		s.attach(proto.StartOldest, 0, 0)
		for s.End(len(s.Frames)) < capacity/2+128 {
			s.publish(floats(5))
			s.read(0, 1)
		}
	})
	s.group(bytes(capacity/4-proto.BaseBytes), bytes(capacity/4-proto.BaseBytes))
	s.read(0, 2)
	return s
}

// eviction: a reader that stands still loses the gate; one that does not keeps it.
func eviction() *Script {
	s := newScript("evict", 0)
	s.laps()
	var stuck int
	s.quickly(func() {
		stuck = s.attach(proto.StartLatest, 0, 1)
		for range 3 {
			s.publish(bytes(capacity/4 - 100))
			s.read(0, 1)
		}
	})
	s.evicts(stuck, bytes(capacity/4-100))
	s.read(0, 1)
	s.detach(stuck)
	s.publish(floats(5))
	s.attach(proto.StartOldest, 0, 0)
	s.publish(floats(5))
	return s
}

// recovery: successors of writers that died at rest, with a claim open and half
// written, with padding and an extended header in place, and again at once.
func recovery() *Script {
	s := newScript("recover", 0)
	s.laps()
	again := func() {
		s.recover()
		s.reattach(0)
	}
	s.publish(floats(5))
	s.publish(floats(5))
	again()
	s.publish(floats(5))
	s.read(0, 1)
	s.openClaim(bytes(300))
	again()
	s.openClaim(proto.Header{DType: proto.U8, NDim: 2, Shape: [8]uint64{20, 50}})
	again()
	s.recover()
	s.recover()
	s.reattach(0)
	s.publish(bytes(1000))
	s.read(0, 3)
	s.upToWrap(256)
	s.openClaim(bytes(400))
	again()
	s.publish(bytes(400))
	s.group(floats(5), floats(5))
	again()
	s.read(0, 3)
	return s
}

// takeovers: one successor after a death at rest, one after a death half way through
// a frame with padding before it.
func takeovers() *Script {
	s := newScript("recover twice", 0)
	s.laps()
	s.upToWrap(320)
	s.publish(floats(5))
	s.recover()
	s.reattach(0)
	s.openClaim(bytes(400))
	s.recover()
	s.reattach(0)
	s.publish(bytes(400))
	return s
}

// openClaim adds claim and write of a frame that is never committed: its writer
// dies.
func (s *Script) openClaim(h proto.Header) {
	s.abandon(h)
	s.Ops = s.Ops[:len(s.Ops)-1]
}

// relays: a ring that nobody has read yet is taken over; then its first reader comes.
func relays() *Script {
	s := newScript("no reader yet", 0)
	for range 3 {
		s.publish(floats(5))
	}
	s.recover()
	s.publish(bytes(200))
	s.recover()
	r := s.attach(proto.StartOldest, 0, 0)
	s.publish(floats(5))
	s.read(r, 5)
	return s
}
