//go:build linux

package ipc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

const (
	handshakeTime = 2 * time.Second        // from connect to hello
	acceptPause   = 100 * time.Millisecond // after running out of descriptors
	extraClients  = 256                    // connections beyond the reader slots
	acceptBatch   = 32                     // connections taken before others are served
)

// server is the control plane of one ring, in its writer's process. All of it
// runs on one goroutine, in serve, except what post brings there.
type server struct {
	dir    *directory
	name   string
	store  *store
	id     *proto.Identity
	w      *ring.Writer
	table  *ring.Table
	log    *slog.Logger
	loop   *loop
	listen *socket
	door   *watch // of the listening socket
	spare  spare  // for a client that there is no descriptor for

	segment   int       // read-only description of the segment
	tableRead int       // of the reader table
	tableFull int       // writable, for readers in park mode
	bell      *Doorbell // the writer's
	welcome   uint32    // flags of every welcome
	grace     time.Duration

	clients  map[*connection]struct{}
	bySlot   map[int]*connection
	lost     map[int]*lostSlot
	streams  int // clients that want announcements
	follower *ring.Follower
	ctx      context.Context // ends with the server
	cancel   context.CancelFunc
	finished bool
	final    uint64 // if finished
	stopped  bool
	alone    chan struct{} // not nil while Close waits for goodbyes, see farewell
	parting  time.Time     // since when
}

// lostSlot is a slot whose reader is gone but may come back.
type lostSlot struct {
	name       string
	generation uint32
	pid        int
	owner      *connection   // severed, its process alive; or nil
	keep       time.Duration // if it has a name and asked to be kept
	grace      *alarm
}

// errIdle ends a follower's sleep when nobody wants announcements any more.
var errIdle = errors.New("no stream clients")

// serve runs until stop is posted. If the ring's memory is lost before, or control
// events cannot be waited for, nobody could be let in or out any more: the writer is
// told and everybody hung up on.
func (s *server) serve() {
	if err := Guard(s.run, s.store); err != nil {
		s.log.Error("control plane ends", "ring", s.name, "error", err)
		s.w.Abandon(err)
	}
	s.hangUpAll()
}

func (s *server) run() error {
	for !s.stopped {
		turn := s.follow
		if s.streams == 0 || s.finished {
			turn = func() error { return s.loop.turn(safetyInterval) }
		}
		if err := turn(); err != nil {
			return err
		}
		s.w.Stamp()
		s.part()
	}
	return nil
}

// follow announces one batch of commits. While there is nothing to announce, the
// follower sleeps in Sleep, that is, in the loop.
func (s *server) follow() error {
	position, err := s.follower.Next(s.ctx)
	s.announce(position)
	switch {
	case err == nil || errors.Is(err, errIdle):
		return s.loop.turn(0)
	case errors.Is(err, io.EOF): // the end is posted soon
		return s.loop.turn(safetyInterval)
	}
	return err
}

// Sleep is how the follower waits: it serves control events until a commit rings.
func (s *server) Sleep(context.Context) error {
	if err := s.loop.turn(safetyInterval); err != nil {
		return err
	}
	if s.streams == 0 || s.finished || s.stopped {
		return errIdle
	}
	return nil
}

var _ ring.Sleeper = (*server)(nil)

// announce tells every stream client how far the ring is committed.
func (s *server) announce(position uint64) {
	for c := range s.clients {
		if c.stream && int64(position-c.announced) > 0 {
			c.announced = position
			c.offer(placePublished, proto.Note{Type: proto.MsgPublished, Position: position})
		}
	}
}

// countStreams keeps a follower as long as somebody listens to it. A new one
// starts at the present end of the ring.
func (s *server) countStreams(change int) {
	if s.streams == 0 && change > 0 {
		s.follower = s.w.Follow(s, s.loop.bell)
	}
	s.streams += change
}

// finish tells everybody where the ring ends.
func (s *server) finish(final uint64) {
	s.finished, s.final = true, final
	for c := range s.clients {
		s.sayClosed(c)
	}
	s.loop.after(silence, s.sayBehind)
}

func (s *server) sayClosed(c *connection) {
	if c.stage == attached {
		c.offer(placeClosed, proto.Note{Type: proto.MsgClosed, Position: s.final})
	}
}

// evict carries out what the writer decided at the gate about one generation of a
// slot. The slot stays taken until the reader is gone.
func (s *server) evict(slot int, generation uint32, code proto.Code) {
	if l := s.lost[slot]; l != nil && l.generation == generation {
		s.forget(slot)
		return
	}
	if c := s.bySlot[slot]; c != nil && c.hello.Generation == generation && !c.evicted {
		s.w.Evict(slot)
		c.evicted = true
		s.log.Warn("reader evicted", "ring", s.name, "reader", c.label(), "pid", c.peer.pid, "reason", evictionSentence(code))
		c.offer(placeEvicted, proto.Note{Type: proto.MsgEvicted, Code: code})
	}
}

// acceptSome takes some of the connections that wait. The others are taken in the
// next turn, after those that hung up meanwhile made room.
func (s *server) acceptSome() {
	for range acceptBatch {
		sock, err := s.listen.accept()
		if errors.Is(err, errWouldBlock) {
			return
		}
		if err != nil {
			s.log.Warn("accept", "ring", s.name, "error", err)
			if exhausted(err) && !s.turnAway() {
				s.loop.pause(s.door)
				s.loop.after(acceptPause, func() { s.loop.resume(s.door) })
			}
			return
		}
		s.admit(sock)
	}
}

// turnAway tells the client that waits longest that there is no descriptor for it. It
// fails when another goroutine took the one in reserve.
func (s *server) turnAway() bool {
	if !s.spare.give() {
		return s.spare.keep(s.listen.fd) == nil // in the next turn, then
	}
	sock, err := s.listen.accept()
	if err == nil {
		c := &connection{s: s, sock: sock, slot: noSlot}
		c.refuse(proto.CodeTableFull, 0, "the writer has no file descriptor left: raise its limit (ulimit -n)")
	}
	return errors.Join(err, s.spare.keep(s.listen.fd)) == nil
}

// lose keeps slot for the grace time.
func (s *server) lose(slot int, l *lostSlot, grace time.Duration) {
	l.grace = s.loop.after(grace, func() {
		s.log.Warn("reader did not come back", "ring", s.name, "reader", l.name, "pid", l.pid, "grace", grace)
		s.forget(slot)
	})
	s.lost[slot] = l
	s.sayAwaited(l)
}

// forget ends the wait for a lost slot's reader: the slot is free, or, while the
// process that had it lives, gates no longer.
func (s *server) forget(slot int) {
	l := s.lost[slot]
	if l == nil {
		return
	}
	s.loop.stop(l.grace)
	delete(s.lost, slot)
	if l.owner != nil && l.owner.stage == severed {
		l.owner.evicted = true
		s.w.Evict(slot)
		return
	}
	s.w.Detach(slot)
}

// takeBack hands a lost slot to its reader, which has returned.
func (s *server) takeBack(slot int) {
	l := s.lost[slot]
	s.loop.stop(l.grace)
	delete(s.lost, slot)
	if l.owner != nil {
		l.owner.release()
	}
}

// inherit gives the readers of the epoch before a grace in which to return. It
// reads the new table before anybody else has it.
func (s *server) inherit() {
	for i := range s.table.Slots() {
		v := s.table.Slot(i)
		if v.State != proto.SlotLost {
			continue
		}
		l := &lostSlot{name: v.Name, generation: v.Generation, pid: int(v.PID)}
		if v.Name != "" {
			l.keep = time.Duration(v.KeepMs) * time.Millisecond
		}
		s.lose(i, l, max(s.grace, time.Duration(v.KeepMs)*time.Millisecond))
	}
}

func (s *server) hangUpAll() {
	for c := range s.clients {
		c.release()
	}
	s.cancel()
	if s.loop != nil {
		s.loop.unwatch(s.door)
		s.loop.close()
	}
	s.spare.give()
	s.listen.close()
	closeAll([]int{s.segment, s.tableRead, s.tableFull})
}
