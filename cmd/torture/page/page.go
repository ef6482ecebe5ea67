//go:build linux

package page

import (
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
)

const (
	offState     = 0
	offBeat      = 8
	offResumed   = 16
	offLingering = 24
	offTrap      = 128
	offFinish    = 136
	offAsked     = 144
	offWritten   = 256
	offTaken     = 384
	offLog       = 4096

	entryBytes = 64
	entries    = 1 << 12
	pageBytes  = offLog + entries*entryBytes
)

// Page is one actor's page. The methods say which side they are for.
type Page struct {
	mem   []byte
	taken uint64 // by the laboratory
	asked uint64 // as the actor last answered
}

// Enter tells that the actor is about to do s, and stands still if the trap says so.
// It is for the actor.
func (p *Page) Enter(s State) {
	atomic.StoreUint64(p.word(offState), uint64(s))
	if trap := atomic.LoadUint64(p.word(offTrap)); trap != 0 && s.Includes(State(trap)) {
		p.linger(trap)
	}
}

func (p *Page) linger(trap uint64) {
	atomic.StoreUint64(p.word(offLingering), 1)
	for atomic.LoadUint64(p.word(offTrap)) == trap {
		time.Sleep(100 * time.Microsecond)
	}
	atomic.StoreUint64(p.word(offLingering), 0)
}

// State is what the actor is doing, or was doing when it died.
func (p *Page) State() State { return State(atomic.LoadUint64(p.word(offState))) }

// Trap makes the actor stand still where it enters s; 0 lets it go on. It is for the
// laboratory.
func (p *Page) Trap(s State) { atomic.StoreUint64(p.word(offTrap), uint64(s)) }

// Lingering reports whether the actor stands still.
func (p *Page) Lingering() bool { return atomic.LoadUint64(p.word(offLingering)) != 0 }

// Begin makes the page ready for another life. It is for the laboratory, while no
// process uses the page.
func (p *Page) Begin() {
	atomic.StoreUint64(p.word(offLingering), 0)
	atomic.StoreUint64(p.word(offState), uint64(Starting))
}

// Count adds frames to the beat. It is for the actor.
func (p *Page) Count(frames uint64) {
	beat := p.word(offBeat)
	atomic.StoreUint64(beat, atomic.LoadUint64(beat)+frames)
}

// Beat is how many frames went through the actor.
func (p *Page) Beat() uint64 { return atomic.LoadUint64(p.word(offBeat)) }

// Ask has the actor tell when the wait that it is in ends. now is the present time. It is
// for the laboratory.
func (p *Page) Ask(now int64) { atomic.StoreUint64(p.word(offAsked), uint64(now)) }

// Resumed is the time at which a wait ended that the actor was asked about; 0 = never.
// It is for the laboratory.
func (p *Page) Resumed() int64 { return int64(atomic.LoadUint64(p.word(offResumed))) }

// Resume tells that a wait has ended, if it was asked for. It is for the actor.
func (p *Page) Resume() {
	if asked := atomic.LoadUint64(p.word(offAsked)); asked != p.asked {
		atomic.StoreUint64(p.word(offResumed), uint64(Now()))
		p.asked = asked
	}
}

// Finish tells the actor to end. It is for the laboratory.
func (p *Page) Finish() { atomic.StoreUint64(p.word(offFinish), 1) }

// Finishing reports whether the actor is to end.
func (p *Page) Finishing() bool { return atomic.LoadUint64(p.word(offFinish)) != 0 }

// Entry is the last entry of the log, which may be extended.
type Entry struct {
	p  *Page
	at int
}

// The fields of an entry, in words.
const (
	fieldHead = iota
	fieldA
	fieldB
	fieldC
	fieldD
)

// Write appends e to the log and returns the entry. It is for the actor, and waits
// while the log is full.
func (p *Page) Write(e history.Event) Entry {
	n := atomic.LoadUint64(p.word(offWritten))
	for n-atomic.LoadUint64(p.word(offTaken)) >= entries {
		time.Sleep(100 * time.Microsecond)
	}
	at := offLog + int(n%entries)*entryBytes
	for i, v := range []uint64{uint64(e.Kind) | uint64(e.Life)<<32, e.A, e.B, e.C, e.D} {
		atomic.StoreUint64(p.word(at+8*i), v)
	}
	atomic.StoreUint64(p.word(offWritten), n+1)
	return Entry{p, at}
}

// SetB extends the entry's B.
func (e Entry) SetB(v uint64) { atomic.StoreUint64(e.p.word(e.at+8*fieldB), v) }

// SetC extends the entry's C.
func (e Entry) SetC(v uint64) { atomic.StoreUint64(e.p.word(e.at+8*fieldC), v) }

// Take returns the entries that were not taken yet and are final: all but the last,
// or all of them once the actor is dead. It is for the laboratory.
func (p *Page) Take(dead bool) []history.Event {
	written := atomic.LoadUint64(p.word(offWritten))
	if !dead && written > p.taken {
		written--
	}
	var events []history.Event
	for ; p.taken != written; p.taken++ {
		at := offLog + int(p.taken%entries)*entryBytes
		load := func(i int) uint64 { return atomic.LoadUint64(p.word(at + 8*i)) }
		events = append(events, history.Event{
			Kind: history.Kind(load(fieldHead)), Life: uint32(load(fieldHead) >> 32),
			A: load(fieldA), B: load(fieldB), C: load(fieldC), D: load(fieldD),
		})
	}
	atomic.StoreUint64(p.word(offTaken), p.taken)
	return events
}
