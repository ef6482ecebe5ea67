//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// exitTime is how long a process that has closed its sockets may take to end.
const exitTime = 20 * time.Millisecond

// greet answers a hello with a welcome or a refusal.
func (c *connection) greet(packet []byte) {
	c.s.loop.stop(c.deadline)
	h, err := proto.DecodeHello(packet)
	if err != nil {
		code := proto.CodeMalformed
		if errors.Is(err, proto.ErrVersion) {
			code = proto.CodeVersion
		}
		c.refuse(code, 0, err.Error())
		return
	}
	if h.RingID != (proto.RingID{}) && h.RingID != c.s.id.RingID {
		c.refuse(proto.CodeRingID, 0, fmt.Sprintf("the ring was replaced: its id is %v, the client knew %v", c.s.id.RingID, h.RingID))
		return
	}
	c.hello = h
	if h.Role == proto.RoleObserver {
		c.welcomeObserver()
		return
	}
	c.attach()
}

// welcomeObserver gives a lossy client read-only descriptors and announcements.
// The writer does not know of it.
func (c *connection) welcomeObserver() {
	segment := c.s.w.Segment()
	c.stream = true
	c.sendWelcome(proto.Welcome{
		Slot: proto.NoSlot, Oldest: segment.Oldest(), Tail: segment.Tail(),
	}, c.s.segment, c.s.tableRead)
}

// attach gives a reader a slot and descriptors.
func (c *connection) attach() {
	h := &c.hello
	c.watchProcess()
	fds := []int{c.s.segment, c.s.tableRead}
	if h.Wake == proto.WakePark {
		bell, err := newDoorbell()
		if err != nil {
			c.refuse(proto.CodeTableFull, 0, err.Error())
			return
		}
		c.bell = bell
		fds = []int{c.s.segment, c.s.tableFull, bell.fd, c.s.bell.fd}
	}
	got, resumed, refusal := c.place()
	if refusal != nil {
		c.refuse(refusal.Code, refusal.Position, refusal.Sentence)
		return
	}
	c.slot, c.stream = got.Slot, h.Wake == proto.WakeStream
	c.hello.Generation = got.Generation
	c.s.bySlot[c.slot], c.since = c, time.Now()
	welcome := proto.Welcome{
		Start: got.Start, Slot: uint32(got.Slot), Generation: got.Generation,
		Oldest: got.Oldest, Tail: got.Tail,
	}
	if resumed {
		welcome.Flags |= proto.WelcomeResumed
	}
	if got.Newer {
		welcome.Flags |= proto.WelcomeNewer
	}
	c.s.log.Info("reader attached", "ring", c.s.name, "reader", c.label(), "pid", c.peer.pid, "slot", got.Slot, "start", got.Start, "resumed", resumed)
	c.sendWelcome(welcome, fds...)
}

// watchProcess watches for the end of the peer's process.
func (c *connection) watchProcess() {
	fd := c.sock.peerProcess()
	if fd < 0 {
		return
	}
	w, err := c.s.loop.watch(fd, c.processEnded)
	if err != nil {
		closeWatched(&watch{fd: fd})
		return
	}
	c.process = w
}

// place finds a slot: the one the reader had, if it is kept, or a free one.
func (c *connection) place() (got ring.Attached, resumed bool, refusal *proto.Refusal) {
	h := &c.hello
	if r := c.nameInUse(); r != nil {
		return got, false, r
	}
	a := c.request()
	if slot, l := c.s.lostSlotOf(c.peer.pid, h); l != nil {
		position := h.Position
		if h.Flags&proto.HelloReconnect == 0 {
			position = c.s.releasedUpTo(slot, l.generation)
		}
		got, err := c.s.w.Reattach(slot, l.generation, position, a)
		if err == nil {
			c.s.takeBack(slot)
			return got, true, nil
		}
		c.s.log.Warn("reader cannot resume", "ring", c.s.name, "reader", c.label(), "error", err)
		c.s.forget(slot)
	}
	if h.Flags&proto.HelloReconnect != 0 {
		c.s.endQuarantine(c.peer.pid, h)
		a.Start, a.Position = proto.StartPosition, h.Position
	}
	got, err := c.s.w.Attach(a)
	return got, false, refusalOf(err, c.s.w.Segment())
}

// releasedUpTo is how far the reader that had a kept slot got. One that died before
// it heard of this writer may have released a frame in the table of the epoch before
// after that was carried over.
func (s *server) releasedUpTo(slot int, generation uint32) uint64 {
	cursor := s.table.Slot(slot).Cursor
	if s.store.old == nil || slot >= s.store.old.Slots() {
		return cursor
	}
	v := s.store.old.Slot(slot)
	ahead := v.Cursor - cursor
	if v.Generation != generation || v.Cursor%proto.LineBytes != 0 || ahead > s.w.Segment().Tail()-cursor {
		return cursor
	}
	return v.Cursor
}

// request is what the hello asks of the ring.
func (c *connection) request() ring.Attach {
	h := &c.hello
	a := ring.Attach{
		Info: proto.SlotInfo{
			Name: h.Name, PID: uint32(c.peer.pid), Wake: h.Wake, KeepMs: h.KeepMs, EvictMs: h.EvictMs,
			AttachedNs: uint64(time.Now().UnixNano()),
		},
		Start: h.Start, Position: h.Position,
		Asymmetric: h.Wake == proto.WakePark && h.Flags&proto.HelloAsymmetric != 0,
		Barrier:    h.Wake == proto.WakeStream || h.Flags&proto.HelloBarrier != 0,
	}
	if c.bell != nil {
		a.Bell = c.bell
	}
	return a
}

func refusalOf(err error, segment *ring.Segment) *proto.Refusal {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ring.ErrTableFull):
		return &proto.Refusal{Code: proto.CodeTableFull, Sentence: err.Error()}
	}
	return &proto.Refusal{Code: proto.CodePosition, Position: segment.Oldest(), Sentence: err.Error()}
}

// nameInUse refuses a second reader of the same name while the first one lives.
func (c *connection) nameInUse() *proto.Refusal {
	if c.hello.Name == "" {
		return nil
	}
	for other := range c.s.clients {
		if other == c || other.slot == noSlot || other.hello.Name != c.hello.Name || other.departed(c.peer.pid) {
			continue
		}
		return &proto.Refusal{Code: proto.CodeNameInUse, Sentence: fmt.Sprintf("reader name %q is in use by pid %d", c.hello.Name, other.peer.pid)}
	}
	return nil
}

// departed looks whether a reader's process has ended, before the event for it was
// served, and serves it. A process that has hung up gets a moment to end: the kernel
// closes its sockets just before it reports that.
func (c *connection) departed(pid int) bool {
	if c.stage == severed && c.peer.pid == pid {
		return true // it comes back
	}
	var patience time.Duration
	if c.stage == severed {
		patience = exitTime
	}
	if c.process == nil || !readable(c.process.fd, patience) {
		return false
	}
	c.processEnded()
	return true
}

// lostSlotOf finds the slot kept for the reader of process pid: by slot and
// generation when it reconnects, or by name.
func (s *server) lostSlotOf(pid int, h *proto.Hello) (int, *lostSlot) {
	if h.Flags&proto.HelloReconnect != 0 {
		l := s.lost[int(h.Slot)]
		if l != nil && l.generation == h.Generation && l.name == h.Name && (l.owner == nil || l.pid == pid) {
			return int(h.Slot), l
		}
	}
	if h.Name == "" {
		return noSlot, nil
	}
	for slot, l := range s.lost {
		if l.name == h.Name {
			return slot, l
		}
	}
	return noSlot, nil
}

// endQuarantine frees the slot of a reader that was evicted while its connection
// was cut, and comes back: by asking for another slot it says that it uses the old
// one no more.
func (s *server) endQuarantine(pid int, h *proto.Hello) {
	c := s.bySlot[int(h.Slot)]
	if c != nil && c.stage == severed && c.evicted && c.peer.pid == pid && c.hello.Generation == h.Generation {
		c.part(false)
	}
}

// sendWelcome completes and sends the welcome. A client that is gone by now is
// noticed as a hang-up.
func (c *connection) sendWelcome(w proto.Welcome, fds ...int) {
	w.Major, w.Minor = proto.VersionMajor, proto.VersionMinor
	w.RingID, w.Epoch = c.s.id.RingID, c.s.w.Epoch()
	w.Flags |= c.s.welcome
	w.Descriptors = uint32(len(fds))
	w.TableBytes = proto.TableBytes(c.s.id.Slots)
	var packet [proto.WelcomeBytes]byte
	w.Encode(packet[:])
	c.stage, c.announced = attached, w.Tail
	if c.stream {
		c.s.countStreams(1)
	}
	if err := c.sock.send(packet[:], fds...); err != nil {
		c.s.log.Warn("welcome", "ring", c.s.name, "reader", c.label(), "error", err)
		c.hangUp()
		return
	}
	if c.stream { // a new follower may have begun beyond the tail that the welcome tells
		c.s.announce(c.s.w.Position())
	}
	if c.s.finished {
		c.s.sayClosed(c)
	}
}
