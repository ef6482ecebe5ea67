package proto

import "fmt"

func putHead(b []byte, t MessageType) {
	le.PutUint16(b[MgType:], uint16(t))
	le.PutUint16(b[MgBytes:], uint16(messageBytes(t)))
}

// Encode writes the note to dst, which must hold NoteBytes bytes.
func (n Note) Encode(dst []byte) {
	putHead(dst, n.Type)
	le.PutUint32(dst[NtCode:], uint32(n.Code))
	le.PutUint64(dst[NtPosition:], n.Position)
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
	return Note{Type: t, Code: Code(le.Uint32(b[NtCode:])), Position: le.Uint64(b[NtPosition:])}, nil
}

// Encode writes the refusal to dst, which must hold RefusalBytes bytes. A longer
// sentence is cut.
func (r Refusal) Encode(dst []byte) {
	putHead(dst, MsgRefusal)
	le.PutUint32(dst[NtCode:], uint32(r.Code))
	le.PutUint64(dst[NtPosition:], r.Position)
	text := dst[RfSentence:RefusalBytes]
	clear(text[copy(text, r.Sentence):])
}

// DecodeRefusal reads a refusal. The error wraps ErrMessage.
func DecodeRefusal(b []byte) (Refusal, error) {
	if err := expect(b, MsgRefusal); err != nil {
		return Refusal{}, err
	}
	text := b[RfSentence:]
	end := 0
	for end < len(text) && text[end] != 0 {
		end++
	}
	return Refusal{Code: Code(le.Uint32(b[NtCode:])), Position: le.Uint64(b[NtPosition:]), Sentence: string(text[:end])}, nil
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
	le.PutUint16(dst[HeMajor:], h.Major)
	le.PutUint16(dst[HeMinor:], h.Minor)
	le.PutUint64(dst[HePosition:], h.Position)
	copy(dst[HeRingID:], h.RingID[:])
	dst[HeRole], dst[HeWake], dst[HeStart], dst[HeFlags] = byte(h.Role), byte(h.Wake), byte(h.Start), h.Flags
	le.PutUint32(dst[HeSlot:], h.Slot)
	le.PutUint32(dst[HeGeneration:], h.Generation)
	le.PutUint32(dst[HePID:], h.PID)
	le.PutUint32(dst[HeKeepMs:], h.KeepMs)
	le.PutUint32(dst[HeEvictMs:], h.EvictMs)
	putName(dst[HeName:], h.Name)
}

// DecodeHello reads and checks a hello. A hello of another major version is
// returned with ErrVersion, so that the answer can name both; other errors wrap
// ErrMessage or ErrName.
func DecodeHello(b []byte) (Hello, error) {
	if err := expect(b, MsgHello); err != nil {
		return Hello{}, err
	}
	h := Hello{
		Major: le.Uint16(b[HeMajor:]), Minor: le.Uint16(b[HeMinor:]),
		Position: le.Uint64(b[HePosition:]),
		Role:     RoleOnRing(b[HeRole]), Wake: Wake(b[HeWake]), Start: Start(b[HeStart]), Flags: b[HeFlags],
		Slot: le.Uint32(b[HeSlot:]), Generation: le.Uint32(b[HeGeneration:]), PID: le.Uint32(b[HePID:]),
		KeepMs: le.Uint32(b[HeKeepMs:]), EvictMs: le.Uint32(b[HeEvictMs:]),
		Name: fieldName(b[HeName:]),
	}
	copy(h.RingID[:], b[HeRingID:])
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
	le.PutUint16(dst[WeMajor:], w.Major)
	le.PutUint16(dst[WeMinor:], w.Minor)
	le.PutUint64(dst[WeStart:], w.Start)
	copy(dst[WeRingID:], w.RingID[:])
	le.PutUint64(dst[WeEpoch:], w.Epoch)
	le.PutUint32(dst[WeSlot:], w.Slot)
	le.PutUint32(dst[WeGeneration:], w.Generation)
	le.PutUint32(dst[WeFlags:], w.Flags)
	le.PutUint32(dst[WeDescriptors:], w.Descriptors)
	le.PutUint64(dst[WeOldest:], w.Oldest)
	le.PutUint64(dst[WeTail:], w.Tail)
	le.PutUint64(dst[WeTableBytes:], w.TableBytes)
}

// DecodeWelcome reads a welcome. Errors wrap ErrMessage or ErrVersion.
func DecodeWelcome(b []byte) (Welcome, error) {
	if err := expect(b, MsgWelcome); err != nil {
		return Welcome{}, err
	}
	w := Welcome{
		Major: le.Uint16(b[WeMajor:]), Minor: le.Uint16(b[WeMinor:]),
		Start: le.Uint64(b[WeStart:]), Epoch: le.Uint64(b[WeEpoch:]),
		Slot: le.Uint32(b[WeSlot:]), Generation: le.Uint32(b[WeGeneration:]),
		Flags: le.Uint32(b[WeFlags:]), Descriptors: le.Uint32(b[WeDescriptors:]),
		Oldest: le.Uint64(b[WeOldest:]), Tail: le.Uint64(b[WeTail:]), TableBytes: le.Uint64(b[WeTableBytes:]),
	}
	copy(w.RingID[:], b[WeRingID:])
	if w.Major != VersionMajor {
		return w, fmt.Errorf("ring speaks version %d.%d, this program %d.%d: %w", w.Major, w.Minor, VersionMajor, VersionMinor, ErrVersion)
	}
	return w, nil
}
