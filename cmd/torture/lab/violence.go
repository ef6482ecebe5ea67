//go:build linux

package lab

import (
	"time"

	"github.com/ndring/ndring/cmd/torture/page"
	"github.com/ndring/ndring/cmd/torture/role"
)

const (
	arrival   = 5 * time.Second        // for the first frame of a life, before a kill comes anyway
	patience  = 300 * time.Millisecond // for an aim, before a kill comes anyway
	glimpse   = 300 * time.Microsecond // between the two looks that tell who sleeps
	quietTime = 20 * time.Millisecond  // between disturbances of who is spared
)

// carryOut does everything of a plan but the kill.
func (a *actor) carryOut(p plan) {
	if a.command != nil {
		a.carryOutBlind(p)
		return
	}
	if p.early {
		a.pause(p.delay)
		return
	}
	if !a.until(arrival, func() bool { return a.page.Beat() != a.prior }) {
		return
	}
	if p.peace > 0 && !a.pause(p.peace) {
		return
	}
	if p.cut {
		a.cut()
	}
	if p.stop > 0 && a.halt(p.stop, p.late) {
		return
	}
	switch {
	case p.aim != 0:
		a.page.Trap(p.aim)
		a.until(patience, a.page.Lingering)
	case p.still:
		a.until(patience, a.sleeps)
	default:
		a.pause(p.delay)
	}
}

// blindScale stretches the delays of a plan for programs, which start more slowly.
const blindScale = 8

// carryOutBlind is carryOut for a program that does not tell what it is doing.
func (a *actor) carryOutBlind(p plan) {
	a.pause(p.peace + blindScale*(p.delay+p.stop))
	if p.cut {
		a.cut()
		a.pause(p.delay)
	}
	if p.stop > 0 && a.halt(p.stop, p.late) {
		return
	}
	a.pause(p.delay)
}

// sleeps reports whether the actor waits for room or frames and has not moved for a
// moment: longer than it spins.
func (a *actor) sleeps() bool {
	state, beat := a.page.State(), a.page.Beat()
	if step := state.Step(); step != page.Waiting && step != page.Claiming {
		return false
	}
	time.Sleep(glimpse)
	return a.page.State() == state && a.page.Beat() == beat
}

// kill ends a life and notes in which state it was.
func (a *actor) kill(p plan) ending {
	asleep := a.sleeps()
	if !a.proc.kill() {
		return a.ended()
	}
	a.room.lab.hits.add(a.part.Role, a.page.State(), asleep, p.aim != 0 || p.still)
	a.room.lab.count.kills(a.part.Role).Add(1)
	return killed
}

// lastDeaths is how often a writer is killed while it ends its ring.
const lastDeaths = 3

// dying reports whether a writer that ends its ring is to be killed over it, now.
func (a *actor) dying() bool {
	if a.spared || a.part.Role != role.Writer || a.part.Plain || a.dead == lastDeaths {
		return false // a stage that has seen the end and left does not come back
	}
	a.dead++
	time.Sleep(a.schedule.of(a.life).delay / 4)
	return true
}

// halt stops the process for a while. Who is to die late stays stopped, which is
// reported.
func (a *actor) halt(d time.Duration, late bool) bool {
	a.room.lab.count.stops.Add(1)
	a.proc.stop()
	if a.pause(d) && late {
		return true
	}
	a.proc.goOn()
	return false
}

func (a *actor) cut() {
	if a.proc.cut() == nil { // it may have none now
		a.room.lab.count.cuts.Add(1)
	}
}

// disturb stops and cuts an actor that is not killed, until the room is finishing.
func (a *actor) disturb() {
	r := a.schedule.rand(a.life)
	rest := quietTime + a.schedule.pace
	for a.pause(rest/2 + time.Duration(r.Int64N(int64(rest)))) {
		if a.schedule.stops && r.IntN(4) == 0 {
			a.halt(time.Duration(r.Int64N(int64(mostStop))), false)
		}
		if a.schedule.cuts && r.IntN(4) == 0 {
			a.cut()
		}
	}
}
