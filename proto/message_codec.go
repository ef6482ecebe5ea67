package proto

import "fmt"

func putHead(b []byte, t MessageType) {
	le.PutUint16(b, uint16(t))
	le.PutUint16(b[2:], uint16(messageBytes(t)))
}

// Encode writes the note to dst, which must hold NoteBytes bytes.
func (n Note) Encode(dst []byte) {
	putHead(dst, n.Type)
	le.PutUint32(dst[4:], uint32(n.Code))
	le.PutUint64(dst[8:], n.Position)
}

// DecodeNote reads any message of NoteBytes bytes. The error wraps ErrMessage.
func DecodeNote(b []byte) (Note, error) {
	t, err := TypeOf(b)
	if err != nil {
		return Note{}, err
	}
	if messageBytes(t) != NoteBytes {
		return Note{}, fmt.Errorf("message type %d is not expected here: %w", t, ErrMessage)
	}
	return Note{Type: t, Code: Code(le.Uint32(b[4:])), Position: le.Uint64(b[8:])}, nil
}

// Encode writes the refusal to dst, which must hold RefusalBytes bytes. A longer
// sentence is cut.
func (r Refusal) Encode(dst []byte) {
	putHead(dst, MsgRefusal)
	le.PutUint32(dst[4:], uint32(r.Code))
	le.PutUint64(dst[8:], r.Position)
	text := dst[NoteBytes:RefusalBytes]
	clear(text[copy(text, r.Sentence):])
}

// DecodeRefusal reads a refusal. The error wraps ErrMessage.
func DecodeRefusal(b []byte) (Refusal, error) {
	if err := expect(b, MsgRefusal); err != nil {
		return Refusal{}, err
	}
	text := b[NoteBytes:]
	end := 0
	for end < len(text) && text[end] != 0 {
		end++
	}
	return Refusal{Code: Code(le.Uint32(b[4:])), Position: le.Uint64(b[8:]), Sentence: string(text[:end])}, nil
}

func expect(b []byte, want MessageType) error {
	t, err := TypeOf(b)
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("message type %d, want %d: %w", t, want, ErrMessage)
	}
	return nil
}

// Encode writes the hello to dst, which must hold HelloBytes bytes.
func (h *Hello) Encode(dst []byte) {
	clear(dst[:HelloBytes])
	putHead(dst, MsgHello)
	le.PutUint16(dst[4:], h.Major)
	le.PutUint16(dst[6:], h.Minor)
	le.PutUint64(dst[8:], h.Position)
	copy(dst[16:], h.RingID[:])
	dst[32], dst[33], dst[34], dst[35] = byte(h.Role), byte(h.Wake), byte(h.Start), h.Flags
	le.PutUint32(dst[36:], h.Slot)
	le.PutUint32(dst[40:], h.Generation)
	le.PutUint32(dst[44:], h.PID)
	le.PutUint32(dst[48:], h.KeepMs)
	le.PutUint32(dst[52:], h.EvictMs)
	putName(dst[64:], h.Name)
}

// DecodeHello reads and checks a hello. A hello of another major version is
// returned with ErrVersion, so that the answer can name both; other errors wrap
// ErrMessage or ErrName.
func DecodeHello(b []byte) (Hello, error) {
	if err := expect(b, MsgHello); err != nil {
		return Hello{}, err
	}
	h := Hello{
		Major: le.Uint16(b[4:]), Minor: le.Uint16(b[6:]),
		Position: le.Uint64(b[8:]),
		Role:     RoleOnRing(b[32]), Wake: Wake(b[33]), Start: Start(b[34]), Flags: b[35],
		Slot: le.Uint32(b[36:]), Generation: le.Uint32(b[40:]), PID: le.Uint32(b[44:]),
		KeepMs: le.Uint32(b[48:]), EvictMs: le.Uint32(b[52:]),
		Name: fieldName(b[64:]),
	}
	copy(h.RingID[:], b[16:])
	if h.Major != VersionMajor {
		return h, fmt.Errorf("client speaks version %d.%d, this ring %d.%d: %w", h.Major, h.Minor, VersionMajor, VersionMinor, ErrVersion)
	}
	return h, h.check()
}

func (h *Hello) check() error {
	switch {
	case h.Role != RoleReader && h.Role != RoleObserver:
		return fmt.Errorf("role %d is unknown: %w", h.Role, ErrMessage)
	case h.Wake != WakePark && h.Wake != WakeStream:
		return fmt.Errorf("wake mode %d is unknown: %w", h.Wake, ErrMessage)
	case h.Role == RoleObserver && h.Wake != WakeStream:
		return fmt.Errorf("an observer cannot park, it maps everything read-only: %w", ErrMessage)
	case h.Start < StartOldest || h.Start > StartPosition:
		return fmt.Errorf("start %d is unknown: %w", h.Start, ErrMessage)
	case h.Flags&^uint8(helloFlags) != 0:
		return fmt.Errorf("unknown flags %#x: %w", h.Flags, ErrMessage)
	case h.Name == "":
		return nil
	}
	return CheckName(h.Name)
}

// Encode writes the welcome to dst, which must hold WelcomeBytes bytes.
func (w *Welcome) Encode(dst []byte) {
	clear(dst[:WelcomeBytes])
	putHead(dst, MsgWelcome)
	le.PutUint16(dst[4:], w.Major)
	le.PutUint16(dst[6:], w.Minor)
	le.PutUint64(dst[8:], w.Start)
	copy(dst[16:], w.RingID[:])
	le.PutUint64(dst[32:], w.Epoch)
	le.PutUint32(dst[40:], w.Slot)
	le.PutUint32(dst[44:], w.Generation)
	le.PutUint32(dst[48:], w.Flags)
	le.PutUint32(dst[52:], w.Descriptors)
	le.PutUint64(dst[56:], w.Oldest)
	le.PutUint64(dst[64:], w.Tail)
	le.PutUint64(dst[72:], w.TableBytes)
}

// DecodeWelcome reads a welcome. Errors wrap ErrMessage or ErrVersion.
func DecodeWelcome(b []byte) (Welcome, error) {
	if err := expect(b, MsgWelcome); err != nil {
		return Welcome{}, err
	}
	w := Welcome{
		Major: le.Uint16(b[4:]), Minor: le.Uint16(b[6:]),
		Start: le.Uint64(b[8:]), Epoch: le.Uint64(b[32:]),
		Slot: le.Uint32(b[40:]), Generation: le.Uint32(b[44:]),
		Flags: le.Uint32(b[48:]), Descriptors: le.Uint32(b[52:]),
		Oldest: le.Uint64(b[56:]), Tail: le.Uint64(b[64:]), TableBytes: le.Uint64(b[72:]),
	}
	copy(w.RingID[:], b[16:])
	if w.Major != VersionMajor {
		return w, fmt.Errorf("ring speaks version %d.%d, this program %d.%d: %w", w.Major, w.Minor, VersionMajor, VersionMinor, ErrVersion)
	}
	return w, nil
}
