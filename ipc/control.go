//go:build linux

package ipc

import (
	"errors"
	"fmt"

	"github.com/ndring/ndring/proto"
)

// errHangup says that the writer's end of the control socket is gone. Readers
// turn it into a reconnect, or ErrWriterLost.
var errHangup = errors.New("writer hung up")

// control is a client's end of an established control connection: it keeps what
// the writer said last. It is for one goroutine at a time.
type control struct {
	sock      *socket
	out       outbox
	hungUp    bool
	evicted   bool
	why       proto.Code // if evicted
	published uint64
	buf       packetBuffer
}

func newControl(sock *socket, published uint64) *control {
	return &control{sock: sock, out: outbox{sock: sock}, published: published}
}

// drain takes in every message that is there. A violation of the protocol is
// treated as a hang-up: the connection is worth nothing any more.
func (c *control) drain() {
	for !c.hungUp {
		n, err := c.sock.receive(c.buf[:])
		if errors.Is(err, errWouldBlock) {
			return
		}
		if err != nil {
			c.hungUp = true
			return
		}
		note, err := proto.DecodeNote(c.buf[:n])
		if err != nil {
			c.hungUp = true
			return
		}
		c.take(note)
	}
}

func (c *control) take(note proto.Note) {
	switch note.Type {
	case proto.MsgPublished:
		c.advance(note.Position)
	case proto.MsgClosed: // the final position stands in the segment, too
		c.advance(note.Position)
	case proto.MsgEvicted:
		c.evicted, c.why = true, note.Code
	case proto.MsgPing:
		c.offer(placePong, proto.Note{Type: proto.MsgPong, Position: note.Position})
	}
}

// advance takes a published position; an older one says nothing new.
func (c *control) advance(position uint64) {
	if int64(position-c.published) > 0 {
		c.published = position
	}
}

// offer sends a note now or later. A broken connection shows when it is read.
func (c *control) offer(place int, note proto.Note) { _ = c.out.offer(place, note) }

// verdict is what a sleeper must hear.
func (c *control) verdict() error {
	switch {
	case c.evicted:
		return fmt.Errorf("%s: %w", evictionSentence(c.why), ErrEvicted)
	case c.hungUp:
		return errHangup
	}
	return nil
}

func evictionSentence(code proto.Code) string {
	switch code {
	case proto.CodeTooSlow:
		return "held the full ring longer than agreed"
	case proto.CodeCursor:
		return "cursor went backwards or beyond the tail"
	case proto.CodeMalformed:
		return "broke the protocol of the control socket"
	}
	return fmt.Sprintf("code %d", code)
}

// goodbye gives the reader's slot up.
func (c *control) goodbye(position uint64) {
	if c.hungUp {
		return
	}
	var packet [proto.NoteBytes]byte
	note := proto.Note{Type: proto.MsgGoodbye, Position: position}
	note.Encode(packet[:])
	_ = c.sock.send(packet[:]) // the hang-up that follows says nearly as much
}

func (c *control) close() { c.sock.close() }
