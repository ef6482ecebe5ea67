package proto

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

var messageTypes = map[string]MessageType{
	"hello": MsgHello, "welcome": MsgWelcome, "refusal": MsgRefusal,
	"published": MsgPublished, "released": MsgReleased, "evicted": MsgEvicted,
	"closed": MsgClosed, "ping": MsgPing, "pong": MsgPong, "goodbye": MsgGoodbye,
}

// decodeAny decodes b by the type it states; exactly one pointer is set.
func decodeAny(b []byte) (m struct {
	hello   *Hello
	welcome *Welcome
	refusal *Refusal
	note    *Note
}, err error) {
	t, err := TypeOf(b)
	if err != nil {
		return m, err
	}
	switch t {
	case MsgHello:
		h, err := DecodeHello(b)
		m.hello = &h
		return m, err
	case MsgWelcome:
		w, err := DecodeWelcome(b)
		m.welcome = &w
		return m, err
	case MsgRefusal:
		r, err := DecodeRefusal(b)
		m.refusal = &r
		return m, err
	}
	n, err := DecodeNote(b)
	m.note = &n
	return m, err
}

// Check each packet of testdata/messages.txt: what it decodes to or which error,
// and that encoding the result gives the same bytes, reserved ones zeroed.
func TestMessageVectors(t *testing.T) {
	eachVector(t, "messages.txt", func(t *testing.T, v vector) {
		stored := v.bytes(t, "bytes")
		m, err := decodeAny(stored)
		if v.failed(t, err) {
			return
		}
		if kind, _ := TypeOf(stored); kind != messageTypes[v.text(t, "type")] {
			t.Fatalf("type %d, want %s", kind, v.text(t, "type"))
		}
		dst := bytes.Repeat([]byte{0xee}, len(stored))
		switch {
		case m.hello != nil:
			wantHello(t, &v, m.hello)
			m.hello.Encode(dst)
		case m.welcome != nil:
			wantWelcome(t, &v, m.welcome)
			m.welcome.Encode(dst)
		case m.refusal != nil:
			v.want(t, "code", uint64(m.refusal.Code))
			v.want(t, "position", m.refusal.Position)
			if m.refusal.Sentence != v.text(t, "sentence") {
				t.Errorf("sentence %q, want %q", m.refusal.Sentence, v.text(t, "sentence"))
			}
			m.refusal.Encode(dst)
		default:
			v.want(t, "code", uint64(m.note.Code))
			v.want(t, "position", m.note.Position)
			m.note.Encode(dst)
		}
		if same := bytes.Equal(dst, stored); same == v.has("encode") {
			t.Errorf("encodes to\n%x, stored is\n%x", dst, stored)
		}
	})
}

func wantRingID(t *testing.T, v *vector, got RingID) {
	t.Helper()
	want := strings.Repeat("00", len(got))
	if v.has("ring_id") {
		want = v.text(t, "ring_id")
	}
	if got.String() != want {
		t.Errorf("ring id %v, want %s", got, want)
	}
}

func wantHello(t *testing.T, v *vector, h *Hello) {
	t.Helper()
	v.want(t, "major", uint64(h.Major))
	v.want(t, "minor", uint64(h.Minor))
	v.want(t, "position", h.Position)
	v.want(t, "role", uint64(h.Role))
	v.want(t, "wake", uint64(h.Wake))
	v.want(t, "start", uint64(h.Start))
	v.want(t, "flags", uint64(h.Flags))
	v.want(t, "slot", uint64(h.Slot))
	v.want(t, "generation", uint64(h.Generation))
	v.want(t, "pid", uint64(h.PID))
	v.want(t, "keep_ms", uint64(h.KeepMs))
	v.want(t, "evict_ms", uint64(h.EvictMs))
	wantRingID(t, v, h.RingID)
	if v.has("name") != (h.Name != "") || h.Name != "" && h.Name != v.text(t, "name") {
		t.Errorf("name %q, want %q", h.Name, v.fields["name"])
	}
}

func wantWelcome(t *testing.T, v *vector, w *Welcome) {
	t.Helper()
	v.want(t, "major", uint64(w.Major))
	v.want(t, "minor", uint64(w.Minor))
	v.want(t, "start", w.Start)
	v.want(t, "epoch", w.Epoch)
	v.want(t, "slot", uint64(w.Slot))
	v.want(t, "generation", uint64(w.Generation))
	v.want(t, "flags", uint64(w.Flags))
	v.want(t, "descriptors", uint64(w.Descriptors))
	v.want(t, "oldest", w.Oldest)
	v.want(t, "tail", w.Tail)
	v.want(t, "table_bytes", w.TableBytes)
	wantRingID(t, v, w.RingID)
}

// Check that a decoder refuses every type but its own, at that type's length.
func TestDecodersRefuseOtherTypes(t *testing.T) {
	for name, kind := range messageTypes {
		b := make([]byte, messageBytes(kind))
		putHead(b, kind)
		for decoder, own := range map[string]struct {
			decode func([]byte) error
			takes  bool
		}{
			"hello":   {func(b []byte) error { _, err := DecodeHello(b); return err }, kind == MsgHello},
			"welcome": {func(b []byte) error { _, err := DecodeWelcome(b); return err }, kind == MsgWelcome},
			"refusal": {func(b []byte) error { _, err := DecodeRefusal(b); return err }, kind == MsgRefusal},
			"note":    {func(b []byte) error { _, err := DecodeNote(b); return err }, messageBytes(kind) == NoteBytes},
		} {
			if own.takes {
				continue
			}
			if err := own.decode(b); !errors.Is(err, ErrMessage) {
				t.Errorf("%s decoder on a %s: %v, want %v", decoder, name, err, ErrMessage)
			}
		}
	}
}

// Check that a hello of another major version is refused with both versions, and
// that its versions come back with the error.
func TestHelloVersionIsReported(t *testing.T) {
	b := make([]byte, HelloBytes)
	(&Hello{Major: 7, Minor: 3, Role: RoleReader, Wake: WakePark, Start: StartOldest}).Encode(b)
	h, err := DecodeHello(b)
	if !errors.Is(err, ErrVersion) || h.Major != 7 || h.Minor != 3 {
		t.Fatalf("%d.%d, %v", h.Major, h.Minor, err)
	}
	if !strings.Contains(err.Error(), "7.3") || !strings.Contains(err.Error(), "1.0") {
		t.Errorf("%v: want both versions", err)
	}
	w := make([]byte, WelcomeBytes)
	(&Welcome{Major: 8, Minor: 1}).Encode(w)
	if _, err := DecodeWelcome(w); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "8.1") || !strings.Contains(err.Error(), "1.0") {
		t.Errorf("%v: want both versions", err)
	}
}

// Check that a sentence over the limit is cut to it and overwrites nothing.
func TestRefusalSentenceIsCut(t *testing.T) {
	b := bytes.Repeat([]byte{0xee}, RefusalBytes+8)
	Refusal{Code: CodeDenied, Sentence: strings.Repeat("x", SentenceMax+50)}.Encode(b)
	if !bytes.Equal(b[RefusalBytes:], bytes.Repeat([]byte{0xee}, 8)) {
		t.Error("wrote past the message")
	}
	r, err := DecodeRefusal(b[:RefusalBytes])
	if err != nil || r.Sentence != strings.Repeat("x", SentenceMax) {
		t.Errorf("%d bytes of sentence, %v; want %d", len(r.Sentence), err, SentenceMax)
	}
}

// Check that random messages come back as they went in.
func TestMessageRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 5000 {
		h := Hello{
			Major: VersionMajor, Minor: uint16(rnd.Uint32()), Position: rnd.Uint64(),
			Role: RoleReader, Wake: Wake(1 + rnd.IntN(2)), Start: Start(1 + rnd.IntN(3)), Flags: uint8(rnd.IntN(helloFlags + 1)),
			Slot: rnd.Uint32(), Generation: rnd.Uint32(), PID: rnd.Uint32(), KeepMs: rnd.Uint32(), EvictMs: rnd.Uint32(),
			Name: strings.Repeat("ab", rnd.IntN(MaxNameBytes/2+1)),
		}
		w := Welcome{
			Major: VersionMajor, Minor: uint16(rnd.Uint32()), Start: rnd.Uint64(), Epoch: rnd.Uint64(),
			Slot: rnd.Uint32(), Generation: rnd.Uint32(), Flags: rnd.Uint32(), Descriptors: rnd.Uint32(),
			Oldest: rnd.Uint64(), Tail: rnd.Uint64(), TableBytes: rnd.Uint64(),
		}
		for i := range h.RingID {
			h.RingID[i], w.RingID[i] = byte(rnd.Uint32()), byte(rnd.Uint32())
		}
		b := make([]byte, HelloBytes)
		h.Encode(b)
		if got, err := DecodeHello(b); err != nil || got != h {
			t.Fatalf("seed %d: wrote %+v, read %+v, %v", seed, h, got, err)
		}
		w.Encode(b[:WelcomeBytes])
		if got, err := DecodeWelcome(b); err != nil || got != w {
			t.Fatalf("seed %d: wrote %+v, read %+v, %v", seed, w, got, err)
		}
	}
}
