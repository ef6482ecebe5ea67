package proto

import "fmt"

// MessageType is the first field of every message on a control socket.
type MessageType uint16

// Messages. A connection starts with hello from the client and welcome or
// refusal from the server; the others are of NoteBytes bytes. Offsets stand
// in layout_message.go.
const (
	MsgHello     MessageType = 1
	MsgWelcome   MessageType = 2
	MsgRefusal   MessageType = 3
	MsgPublished MessageType = 4 // server: all before position is committed
	MsgReleased  MessageType = 5 // client: it is done with all before position
	MsgEvicted   MessageType = 6 // server: the reader no longer gates; code says why
	MsgClosed    MessageType = 7 // server: the ring ends at position
	MsgPing      MessageType = 8 // either: answered by MsgPong with the same position
	MsgPong      MessageType = 9
	MsgGoodbye   MessageType = 10 // client: leaves for good, a named slot is given up
)

// Code says why a connection is refused or a reader evicted.
type Code uint32

// Codes of refusals and evictions.
const (
	CodeNone      Code = 0
	CodeVersion   Code = 1 // major versions differ
	CodeMalformed Code = 2 // the message breaks the protocol
	CodeRingID    Code = 3 // the ring was replaced since the client last saw it
	CodeNameInUse Code = 4 // another live reader has this name
	CodeTableFull Code = 5 // no free reader slot
	CodePosition  Code = 6 // the position asked for is not in the ring
	CodeCursor    Code = 7 // the reader's cursor went backwards or beyond the tail
	CodeTooSlow   Code = 8 // the reader held the full ring longer than agreed
	CodeClosing   Code = 9 // the writer is ending
	CodeDenied    Code = 10
)

// Wake is how a reader learns of new frames.
type Wake uint8

// Wake modes. WakePark readers map the reader table and sleep on a descriptor;
// WakeStream readers are told every batch over the socket and need no atomics.
const (
	WakePark   Wake = 1
	WakeStream Wake = 2
)

// RoleOnRing is what a client asks to be.
type RoleOnRing uint8

// Roles of clients.
const (
	RoleReader   RoleOnRing = 1 // lossless: gates the writer
	RoleObserver RoleOnRing = 2 // lossy: never gates, maps everything read-only
)

// Start is where a reader begins.
type Start uint8

// Start points. StartPosition must be the start of a frame still in the ring.
const (
	StartOldest   Start = 1
	StartLatest   Start = 2
	StartPosition Start = 3
)

// Flags of a hello.
const (
	HelloAsymmetric = 1 << 0 // the reader skips its fence, having registered for membarrier
	HelloReconnect  = 1 << 1 // slot, generation and position are those of an earlier welcome
	HelloBarrier    = 1 << 2 // the reader can run membarrier before it parks
	helloFlags      = HelloAsymmetric | HelloReconnect | HelloBarrier
)

// Flags of a welcome.
const (
	WelcomeAsymmetric = 1 << 0 // the writer skips its fence
	WelcomeNewer      = 1 << 1 // oldest was asked for and its start is gone already
	WelcomeResumed    = 1 << 2 // an earlier slot of this reader was taken up again
)

// Hello opens a connection.
type Hello struct {
	Major, Minor uint16
	Position     uint64 // StartPosition, or the reader's position when reconnecting
	RingID       RingID // zero = any
	Role         RoleOnRing
	Wake         Wake
	Start        Start
	Flags        uint8
	Slot         uint32 // when reconnecting
	Generation   uint32 // when reconnecting
	PID          uint32 // a label
	KeepMs       uint32 // grace after a death, for named readers
	EvictMs      uint32 // evict when it holds the full ring this long; 0 = never
	Name         string // may be empty
}

// Welcome answers a hello that is accepted. It carries file descriptors as
// docs/protocol.md says.
type Welcome struct {
	Major, Minor uint16
	Start        uint64 // the reader's first position
	RingID       RingID
	Epoch        uint64
	Slot         uint32 // NoSlot for observers
	Generation   uint32
	Flags        uint32
	Descriptors  uint32 // how many come with this message
	Oldest       uint64 // lowest position in the ring at attach
	Tail         uint64 // end of what was committed at attach
	TableBytes   uint64
}

// NoSlot is the slot of a client that has none.
const NoSlot = ^uint32(0)

// Note is every other message: a type, a code and a position.
type Note struct {
	Type     MessageType
	Code     Code
	Position uint64
}

// Refusal answers a hello that is not accepted.
type Refusal struct {
	Code     Code
	Position uint64
	Sentence string // for people; at most SentenceMax bytes
}

// TypeOf returns the type of an encoded message and checks its length. The error
// wraps ErrMessage.
func TypeOf(b []byte) (MessageType, error) {
	if len(b) < NoteBytes {
		return 0, fmt.Errorf("message of %d bytes, at least %d: %w", len(b), NoteBytes, ErrMessage)
	}
	t := MessageType(le.Uint16(b[MgType:]))
	want := messageBytes(t)
	if want == 0 {
		return 0, fmt.Errorf("message type %d is unknown: %w", t, ErrMessage)
	}
	if stated := int(le.Uint16(b[MgBytes:])); stated != want || len(b) != want {
		return 0, fmt.Errorf("message type %d of %d bytes states %d, want %d: %w", t, len(b), stated, want, ErrMessage)
	}
	return t, nil
}

func messageBytes(t MessageType) int {
	switch t {
	case MsgHello:
		return HelloBytes
	case MsgWelcome:
		return WelcomeBytes
	case MsgRefusal:
		return RefusalBytes
	case MsgPublished, MsgReleased, MsgEvicted, MsgClosed, MsgPing, MsgPong, MsgGoodbye:
		return NoteBytes
	}
	return 0
}
