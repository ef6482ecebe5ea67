//go:build linux

package lab

import (
	"maps"
	"net"
	"slices"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/role"
	"github.com/ndring/ndring/ipc"
)

// builders make the casts of rooms.
func builders() map[string]func(*room) {
	return map[string]func(*room){
		"writers": buildWriters,
		"readers": buildReaders,
		"all":     buildAll,
		"gate":    buildGate,
		"laps":    buildLaps,
		"calm":    buildCalm,
		"restart": buildRestart,
		"stage":   buildStage,
		"bridge":  buildBridge,
	}
}

// Kinds are the kinds of rooms.
func Kinds() []string { return slices.Sorted(maps.Keys(builders())) }

const (
	smallRing  = 64 << 10
	middleRing = 256 << 10
)

func reader(name string, promise history.Promise) *actor {
	return &actor{name: name, promise: promise}
}

// harmed lets the actor be stopped and cut besides whatever else happens to it.
func (a *actor) harmed() *actor {
	a.schedule.stops, a.schedule.cuts = true, true
	return a
}

func (a *actor) spare() *actor {
	a.spared = true
	return a
}

func (a *actor) inBatches() *actor {
	a.part.Batches = true
	return a
}

// buildWriters is a room in which the writer dies and its readers live on.
func buildWriters(r *room) {
	r.addWriter(&actor{name: "writer", part: role.Part{Capacity: smallRing}})
	r.addReader(reader("parks", history.Named).spare())
	r.addReader(reader("streams", history.NamedStream).spare())
	r.addReader(reader("looks", history.Lossy).spare())
}

// buildReaders is a room in which the writer lives on and its readers die.
func buildReaders(r *room) {
	r.addWriter((&actor{name: "writer", part: role.Part{Capacity: smallRing}}).spare())
	r.addReader(reader("named", history.Named))
	r.addReader(reader("batches", history.Named).inBatches())
	r.addReader(reader("streams", history.NamedStream))
	r.addReader(reader("unnamed", history.Unnamed))
	r.addReader(reader("looks", history.Lossy))
}

// buildAll is a room in which everybody dies, is stopped and cut off.
func buildAll(r *room) {
	r.addWriter((&actor{name: "writer", part: role.Part{Capacity: middleRing}}).harmed())
	r.addReader(reader("stays", history.Named).spare().harmed())
	r.addReader(reader("named", history.Named).harmed().inBatches())
	r.addReader(reader("streams", history.NamedStream).harmed())
	r.addReader(reader("unnamed", history.Unnamed).harmed())
	impatient := reader("impatient", history.Unnamed).harmed()
	impatient.part.Evict = mostStop / 3
	r.addReader(impatient)
	r.addReader(reader("looks", history.Lossy).spare().harmed())
}

// buildGate is a room in which the time is taken from the death of a reader that
// holds up the ring to the writer's next claim.
func buildGate(r *room) {
	r.addWriter((&actor{name: "writer", part: role.Part{Capacity: smallRing}}).spare())
	r.addReader(reader("follows", history.Named).spare())
	parks, streams := reader("parks", history.Unnamed), reader("streams", history.Unnamed)
	streams.part.Stream = true
	for _, a := range []*actor{parks, streams} {
		r.addReader(a)
		a.holds = true
	}
}

// buildLaps is a room in which the writer waits for nobody and laps its observers.
func buildLaps(r *room) {
	r.addWriter((&actor{name: "writer", part: role.Part{Capacity: smallRing, FreeRun: true, Wide: true}}).spare())
	for _, a := range []*actor{reader("looks", history.Lossy).spare(), reader("stumbles", history.Lossy).spare().harmed(), reader("dies", history.Lossy)} {
		r.addReader(a)
		a.goesOn = true
	}
}

const (
	calmPace  = 2 * time.Second      // between harms
	calmPause = 2 * time.Millisecond // between writes
)

// calmly lets harm come seldom.
func (a *actor) calmly() *actor {
	a.schedule.pace = calmPace
	return a
}

// buildCalm is a room for a soak: little is written, and only visitors die.
func buildCalm(r *room) {
	r.addWriter((&actor{name: "writer", part: role.Part{Capacity: smallRing, Pause: calmPause}}).spare().calmly())
	r.addReader(reader("parks", history.Named).spare().harmed().calmly())
	r.addReader(reader("streams", history.NamedStream).spare().harmed().calmly())
	r.addReader(reader("looks", history.Lossy).spare().harmed().calmly())
	r.addReader(reader("visits", history.Unnamed).calmly())
	r.addReader(reader("returns", history.Named).calmly())
}

// buildRestart is a room for a soak in which the writer dies now and then.
func buildRestart(r *room) {
	r.addWriter((&actor{name: "writer", part: role.Part{Capacity: smallRing, Pause: calmPause}}).calmly())
	r.addReader(reader("parks", history.Named).spare().calmly())
	r.addReader(reader("streams", history.NamedStream).spare().calmly())
	r.addReader(reader("looks", history.Lossy).spare().calmly())
}

// resultRing is the ring that a stage writes.
const (
	resultRing  = "y"
	resultBytes = "1MiB"
)

// buildStage is a room with ndring's own stage between two rings. Who reads the second
// must see every frame of the first.
func buildStage(r *room) {
	r.addWriter(&actor{name: "writer", part: role.Part{Capacity: smallRing, Plain: true}})
	r.addStage().harmed()
	for _, a := range []*actor{reader("stays", history.Named).spare(), reader("named", history.Named)} {
		a.part.Ring, a.part.Results = resultRing, true
		r.addReader(a)
	}
}

// addStage puts ndring's stage between the two rings of a room.
func (r *room) addStage() *actor {
	return r.addProgram(roleStage, ringName, "--in", ringName, "--out", resultRing,
		"--kernel", "identity", "--name", "stage", "--keep", keep.String(), "--capacity", resultBytes)
}

// bridgePace is for how long a bridge may serve before harm comes.
const bridgePace = 300 * time.Millisecond

// buildBridge is a room with ndring's bridge and stage and clients of the bridge. What
// a connection brings must be the results of its first chunks, however it ends.
func buildBridge(r *room) {
	address := r.freeAddress()
	stage := r.addStage()
	bridge := r.addProgram(roleBridge, resultRing, "--listen", address, "--to", ringName, "--from", resultRing, "--capacity", "256KiB")
	for _, a := range []*actor{stage, bridge} {
		a.schedule.pace = bridgePace
	}
	stage.schedule.rest = ipc.DefaultGrace + calmPace // or the places of dead bridges would never be free
	for _, name := range []string{"stays", "comes", "goes"} {
		a := &actor{name: name, promise: history.Remote, part: role.Part{Role: role.Client, Address: address}, goesOn: true}
		a.spared = name == "stays"
		r.add(a)
		a.judge = history.NewReader(a.name, a.promise)
	}
}

// freeAddress is one that the bridge of a room takes again in each life.
func (r *room) freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.abort(err)
		return ""
	}
	defer l.Close()
	return l.Addr().String()
}
