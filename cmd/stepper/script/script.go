package script

import (
	"github.com/ndring/ndring/proto"
)

// Operation is one step of a script.
type Operation struct {
	Path   string // which path of the writer it takes: claim, write, commit, ...
	Frames int    // how many frames it makes visible, all at once
	Fast   bool   // not stepped
	run    func(*Player) error
}

// Script is a list of operations on one ring.
type Script struct {
	Ledger
	Name    string
	ID      proto.Identity
	FreeRun bool
	Short   bool // belongs to the short form
	Ops     []Operation

	readers int
	fast    bool
}

// Capacity of the scripts' rings, and the number of reader slots.
const (
	capacity = proto.MinCapacityBytes
	slots    = 4
)

// newScript begins a script whose ring starts at position start.
func newScript(name string, start uint64) *Script {
	id := proto.NewIdentity("x", capacity)
	id.Start, id.Slots = start, slots
	return &Script{Name: name, ID: id, Ledger: Ledger{Capacity: capacity, Start: start}}
}

func (s *Script) op(path string, frames int, run func(*Player) error) {
	s.Ops = append(s.Ops, Operation{Path: path, Frames: frames, Fast: s.fast, run: run})
}

// quickly adds operations that are not stepped.
func (s *Script) quickly(build func()) {
	s.fast = true
	build()
	s.fast = false
}

// bytes describes an inline frame of n bytes.
func bytes(n uint64) proto.Header {
	return proto.Header{DType: proto.U8, NDim: 1, Shape: [8]uint64{n}}
}

// floats describes an inline frame of n float64.
func floats(n uint64) proto.Header {
	return proto.Header{DType: proto.F64, NDim: 1, Shape: [8]uint64{n}}
}

// publish adds claim, write and commit of one frame.
func (s *Script) publish(h proto.Header) {
	f := s.Add(h)[0]
	s.op("claim", 0, func(p *Player) error { return p.claimFrame(&f) })
	s.op("write", 0, func(p *Player) error { return p.fill(p.claim.Payload(), &f) })
	s.op(commitPath(&f), 1, func(p *Player) error { p.claim.Commit(); return nil })
}

// commitPath tells the ways of a commit apart.
func commitPath(f *Frame) string {
	switch {
	case f.At != f.First:
		return "wrap"
	case f.Head.Extended() || f.Head.Kind != proto.KindData:
		return "commit extended"
	}
	return "commit"
}

// abandon adds claim and write of a frame that is then aborted.
func (s *Script) abandon(h proto.Header) {
	scratch := s.Ledger
	scratch.Frames = append([]Frame(nil), s.Frames...)
	f := scratch.Add(h)[0]
	s.op("claim", 0, func(p *Player) error { return p.claimFrame(&f) })
	s.op("write", 0, func(p *Player) error { return p.fill(p.claim.Payload(), &f) })
	s.op("abort", 0, func(p *Player) error { p.claim.Abort(); return nil })
}

// group adds a group of frames.
func (s *Script) group(heads ...proto.Header) {
	asked := append([]proto.Header(nil), heads...)
	frames := s.Add(heads...)
	s.op("group claim", 0, func(p *Player) error { return p.claimGroup(asked, frames) })
	s.op("write", 0, func(p *Player) error { return p.fillGroup(frames) })
	path := "group commit"
	if frames[0].At != frames[0].First {
		path = "group wrap"
	}
	s.op(path, len(frames), func(p *Player) error { p.group.Commit(); return nil })
}

// batch adds a batch of count frames of n float64 each.
func (s *Script) batch(count int, n uint64) {
	from := len(s.Frames)
	for range count {
		s.Add(floats(n))
	}
	frames := s.Frames[from:]
	s.op("batch claim", 0, func(p *Player) error { return p.claimBatch(frames) })
	s.op("write", 0, func(p *Player) error { return p.fillBatch(frames) })
	s.op("batch commit", count, func(p *Player) error { p.batch.Commit(); return nil })
}

// read lets reader i take and release n frames.
func (s *Script) read(i, n int) {
	s.op("release", 0, func(p *Player) error { return p.read(i, n) })
}
