//go:build linux

package ipc

import (
	"errors"
	"os"
	"time"

	"github.com/ndring/ndring/proto"
)

// stage is how far a connection has come.
type stage int

const (
	greeting stage = iota // waits for hello
	attached              // welcome was sent
	severed               // hung up, but its process lives: it may come back, or store its cursor
	gone
)

// connection is the server's end of one control connection.
type connection struct {
	s         *server
	sock      *socket
	out       outbox
	peer      peer
	stage     stage
	watch     *watch
	process   *watch // of the peer's pidfd; nil if there is none
	deadline  *alarm // for hello
	buf       packetBuffer
	bell      *Doorbell // the reader's, in park mode
	slot      int       // -1 = none
	hello     proto.Hello
	stream    bool
	announced uint64
	evicted   bool
	left      bool      // said goodbye
	since     time.Time // attached, if it has a slot
}

const noSlot = -1

// packetBatch is how many packets of one client are served before others are: who
// floods the socket delays nobody.
const packetBatch = 16

// admit starts the handshake with a new client, or turns it away.
func (s *server) admit(sock *socket) {
	c := &connection{s: s, sock: sock, out: outbox{sock: sock}, slot: noSlot}
	s.clients[c] = struct{}{}
	var err error
	if c.watch, err = s.loop.watch(sock.fd, c.ready); err != nil {
		s.log.Warn("accept", "ring", s.name, "error", err)
		c.release()
		return
	}
	c.deadline = s.loop.after(handshakeTime, func() {
		c.refuse(proto.CodeMalformed, 0, "no hello within "+handshakeTime.String())
	})
	if len(s.clients) > s.table.Slots()+extraClients {
		c.refuse(proto.CodeTableFull, 0, "too many connections")
		return
	}
	c.identify()
}

// identify finds out who connected and refuses other users.
func (c *connection) identify() {
	var err error
	if c.peer, err = c.sock.peer(); err != nil {
		c.refuse(proto.CodeDenied, 0, err.Error())
		return
	}
	if c.peer.uid != 0 && c.peer.uid != os.Geteuid() {
		c.refuse(proto.CodeDenied, 0, "this ring serves processes of its own user only")
	}
}

// ready is called when the socket can be read, or written to, or hung up.
func (c *connection) ready() {
	lost := c.out.flush() // who hung up may have said goodbye before
	for range packetBatch {
		n, err := c.sock.receive(c.buf[:])
		if errors.Is(err, errWouldBlock) && lost == nil {
			c.s.loop.want(c.watch, !c.out.empty())
			return
		}
		if err != nil {
			c.hangUp()
			return
		}
		if c.stage == greeting {
			c.greet(c.buf[:n])
		} else {
			c.note(c.buf[:n])
		}
		if c.stage != attached {
			return
		}
	}
}

// note serves a message of an attached client.
func (c *connection) note(packet []byte) {
	n, err := proto.DecodeNote(packet)
	if err != nil {
		c.violation(proto.CodeMalformed, err)
		return
	}
	switch n.Type {
	case proto.MsgReleased:
		c.released(n.Position)
	case proto.MsgPing:
		c.offer(placePong, proto.Note{Type: proto.MsgPong, Position: n.Position})
	case proto.MsgPong:
	case proto.MsgGoodbye:
		c.left = true
		c.hangUp()
	default:
		c.violation(proto.CodeMalformed, errors.New("a client does not send this message"))
	}
}

func (c *connection) released(position uint64) {
	if !c.stream || c.slot == noSlot {
		c.violation(proto.CodeMalformed, errors.New("only a reader in stream mode releases by message"))
		return
	}
	if c.evicted {
		return
	}
	if err := c.s.w.Released(c.slot, position); err != nil {
		c.violation(proto.CodeCursor, err)
	}
}

// violation evicts a client that broke the protocol. One without a slot is hung
// up on; a reader keeps its slot, without gating, until it is gone.
func (c *connection) violation(code proto.Code, err error) {
	c.s.log.Warn("client broke the protocol", "ring", c.s.name, "reader", c.label(), "pid", c.peer.pid, "error", err)
	if c.slot == noSlot || c.evicted {
		c.hangUp()
		return
	}
	c.s.evict(c.slot, c.hello.Generation, code)
}

// offer sends a note now or as soon as there is room.
func (c *connection) offer(place int, n proto.Note) {
	if c.stage != attached {
		return
	}
	if err := c.out.offer(place, n); err != nil {
		return // the hang-up comes as an event of its own
	}
	c.s.loop.want(c.watch, !c.out.empty())
}

// refuse answers a hello that is not accepted and ends the connection.
func (c *connection) refuse(code proto.Code, position uint64, sentence string) {
	var packet [proto.RefusalBytes]byte
	proto.Refusal{Code: code, Position: position, Sentence: sentence}.Encode(packet[:])
	_ = c.sock.send(packet[:]) // who does not wait for the answer misses nothing
	c.s.log.Info("client refused", "ring", c.s.name, "pid", c.peer.pid, "reason", sentence)
	c.release()
}

// cutTime is how long a reader in park mode goes on gating when its connection
// ended without a goodbye although its process lives: a cut connection is no
// death, and the reader comes back when it next sleeps.
const cutTime = time.Second

// hangUp ends a connection and decides what becomes of its reader's slot. A name
// keeps it for the grace it asked for. A process in park mode that lives keeps it
// for cutTime, and after that, since it may still store its cursor, keeps it from
// others until it ends. Anybody else's slot is free at once.
func (c *connection) hangUp() {
	if c.stage != attached || c.slot == noSlot {
		c.release()
		return
	}
	c.s.log.Info("reader left", "ring", c.s.name, "reader", c.label(), "pid", c.peer.pid, "goodbye", c.left)
	alive := !c.left && c.hello.Wake == proto.WakePark && c.process != nil && !readable(c.process.fd, 0)
	grace := c.keep()
	if alive {
		grace = max(grace, cutTime)
	}
	if c.left || c.evicted || grace == 0 {
		c.part(alive)
		return
	}
	l := &lostSlot{name: c.hello.Name, generation: c.hello.Generation, pid: c.peer.pid, keep: c.keep()}
	c.s.w.Lose(c.slot)
	c.s.lose(c.slot, l, grace)
	if alive {
		l.owner = c
		c.sever()
		return
	}
	c.release()
}

// keep is the grace that a named reader asked for.
func (c *connection) keep() time.Duration {
	if c.hello.Name == "" {
		return 0
	}
	return time.Duration(c.hello.KeepMs) * time.Millisecond
}

// part gives the slot up, at once or when the process ends.
func (c *connection) part(alive bool) {
	if alive {
		c.sever()
		return
	}
	slot := c.slot
	c.release()
	c.s.w.Detach(slot)
}

// sever closes the socket and leaves the process to be watched.
func (c *connection) sever() {
	c.stopStream()
	c.stage = severed
	c.s.loop.unwatch(c.watch)
	c.sock.close()
}

// processEnded is called when the peer's process has ended, even while another
// one holds its end of the socket.
func (c *connection) processEnded() {
	switch {
	case c.stage == attached:
		c.hangUp()
	case c.evicted:
		c.part(false)
	case c.keep() > 0:
		c.s.lost[c.slot].owner = nil
		c.release()
	default:
		slot := c.slot
		c.release()
		c.s.forget(slot)
	}
}

func (c *connection) stopStream() {
	if c.stream && c.stage == attached {
		c.s.countStreams(-1)
	}
}

// release closes what belongs to the connection. The slot is not touched.
func (c *connection) release() {
	if c.stage == gone {
		return
	}
	c.stopStream()
	c.stage = gone
	delete(c.s.clients, c)
	if c.slot != noSlot && c.s.bySlot[c.slot] == c {
		delete(c.s.bySlot, c.slot)
	}
	c.s.loop.stop(c.deadline)
	c.s.loop.unwatch(c.watch)
	c.s.loop.unwatch(c.process)
	closeWatched(c.process)
	c.sock.close()
	if c.bell != nil {
		c.bell.close()
	}
}

// label is the reader's name for messages.
func (c *connection) label() string {
	switch {
	case c.hello.Name != "":
		return c.hello.Name
	case c.hello.Role == proto.RoleObserver:
		return "(observer)"
	}
	return "(unnamed)"
}
