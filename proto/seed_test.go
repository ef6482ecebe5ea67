package proto

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// conversation is testdata/seed-conversation.json.
type conversation struct {
	Frames []struct {
		Send string
		Recv []struct {
			Seq     uint32
			Type    Role
			Payload string
		}
	}
}

// Check that the recorded conversation of the first version obeys the rules as
// they are implemented: chunk headers, result headers, sizes, and a DELTA that is
// the exact difference of two PRIMARY payloads.
func TestSeedConversation(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "seed-conversation.json"))
	if err != nil {
		t.Fatal(err)
	}
	var talk conversation
	if err := json.Unmarshal(b, &talk); err != nil || len(talk.Frames) == 0 {
		t.Fatalf("%d frames, %v", len(talk.Frames), err)
	}
	var before []byte
	for i, f := range talk.Frames {
		sent := fromHex(t, f.Send)
		n, err := CheckChunk(sent, 1<<20, 40)
		if err != nil || n != uint64(len(sent)-SeedChunkHeadBytes) {
			t.Fatalf("chunk %d: %d bytes, %v; %d were sent", i, n, err, len(sent))
		}
		if again := AppendChunkHead(nil, uint32(n)); string(again) != string(sent[:SeedChunkHeadBytes]) {
			t.Fatalf("chunk %d: header %x, recorded %x", i, again, sent[:SeedChunkHeadBytes])
		}
		if want := min(i+1, 2); len(f.Recv) != want {
			t.Fatalf("chunk %d: %d results, want %d", i, len(f.Recv), want)
		}
		primary := fromHex(t, f.Recv[0].Payload)
		for j, r := range f.Recv {
			if r.Seq != uint32(i+1) || r.Type != Role(j) || uint64(len(r.Payload)/2) != n {
				t.Fatalf("chunk %d, result %d: sequence %d, type %d, %d bytes", i, j, r.Seq, r.Type, len(r.Payload)/2)
			}
		}
		if len(f.Recv) == 2 {
			wantDelta(t, i, before, primary, fromHex(t, f.Recv[1].Payload))
		}
		before = primary
	}
}

func wantDelta(t *testing.T, chunk int, before, after, delta []byte) {
	t.Helper()
	at := func(b []byte, i int) float64 { return math.Float64frombits(le.Uint64(b[i:])) }
	for i := 0; i < len(delta); i += SeedItemBytes {
		if want := at(after, i) - at(before, i); at(delta, i) != want {
			t.Errorf("chunk %d, value %d: delta %v, want %v", chunk, i/SeedItemBytes, at(delta, i), want)
		}
	}
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Check each rule for chunk lengths at its edges, and that the error names the
// length.
func TestCheckChunk(t *testing.T) {
	for _, c := range []struct {
		head         string
		limit, exact uint64
		want         uint64
		err          error
		mentions     string
	}{
		{"00000028", 40, 0, 40, nil, ""},
		{"00000028", 40, 40, 40, nil, ""},
		{"00000028ffff", 40, 40, 40, nil, ""},
		{"00000008", 1 << 40, 0, 8, nil, ""},
		{"fffffff8", 1 << 40, 0, 0xfffffff8, nil, ""},
		{"00000000", 1 << 40, 0, 0, ErrChunk, "0 bytes"},
		{"00000001", 1 << 40, 0, 0, ErrChunk, "multiple"},
		{"00000027", 1 << 40, 0, 0, ErrChunk, "39 bytes"},
		{"ffffffff", 1 << 40, 0, 0, ErrChunk, "4294967295 bytes"},
		{"00000030", 40, 0, 0, ErrChunk, "limit of 40"},
		{"fffffff8", 0xfffffff0, 0, 0, ErrChunk, "limit"},
		{"00000030", 1 << 40, 40, 0, ErrChunk, "takes 40"},
		{"00000020", 1 << 40, 40, 0, ErrChunk, "takes 40"},
		{"28000000", 1 << 20, 0, 0, ErrChunk, "limit"}, // little-endian by mistake
		{"", 40, 0, 0, ErrTruncated, "0 of 4"},
		{"000000", 40, 0, 0, ErrTruncated, "3 of 4"},
	} {
		n, err := CheckChunk(fromHex(t, c.head), c.limit, c.exact)
		if n != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q, limit %d, exactly %d: %d, %v; want %d, %v", c.head, c.limit, c.exact, n, err, c.want, c.err)
		} else if err != nil && !strings.Contains(err.Error(), c.mentions) {
			t.Errorf("%q: %v does not mention %q", c.head, err, c.mentions)
		}
	}
}

// Check result headers byte by byte and their refusals.
func TestResultHead(t *testing.T) {
	const stored = "0102030405060708" + "090a0b0c" + "01"
	r := ResultHead{TimeNs: 0x0102030405060708, Sequence: 0x090a0b0c, Role: RoleDelta}
	if got := hex.EncodeToString(r.Append([]byte{0xff})); got != "ff"+stored {
		t.Errorf("encodes to %s, want %s", got, "ff"+stored)
	}
	if got, err := DecodeResultHead(fromHex(t, stored+"aa")); err != nil || got != r {
		t.Errorf("decodes to %+v, %v; want %+v", got, err, r)
	}
	for n := range SeedResultHeadBytes {
		if _, err := DecodeResultHead(fromHex(t, stored)[:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes: %v, want %v", n, err, ErrTruncated)
		}
	}
	for _, role := range []string{"02", "ff"} {
		if _, err := DecodeResultHead(fromHex(t, stored[:24]+role)); !errors.Is(err, ErrMessage) {
			t.Errorf("type %s: %v, want %v", role, err, ErrMessage)
		}
	}
}
