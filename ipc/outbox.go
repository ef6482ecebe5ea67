//go:build linux

package ipc

import (
	"errors"

	"github.com/ndring/ndring/proto"
)

// Places of an outbox, in the order in which they are sent.
const (
	placeEvicted = iota
	placePublished
	placeReleased
	placeClosed
	placePong
	placeCount
)

// outbox sends notes without ever waiting. A note that does not fit stays until
// there is room; a newer one of its place replaces it, which loses nothing
// because positions are cumulative.
type outbox struct {
	sock    *socket
	notes   [placeCount]proto.Note
	pending [placeCount]bool
}

// offer sends note, or keeps it. The error is that of a broken connection.
func (o *outbox) offer(place int, note proto.Note) error {
	o.notes[place], o.pending[place] = note, true
	return o.flush()
}

// flush sends what is kept, as far as there is room.
func (o *outbox) flush() error {
	var packet [proto.NoteBytes]byte
	for place := range o.notes {
		if !o.pending[place] {
			continue
		}
		o.notes[place].Encode(packet[:])
		err := o.sock.send(packet[:])
		if errors.Is(err, errWouldBlock) {
			return nil
		}
		if err != nil {
			return err
		}
		o.pending[place] = false
	}
	return nil
}

// empty reports whether nothing is kept.
func (o *outbox) empty() bool { return o.pending == [placeCount]bool{} }
