package proto

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// image builds the bytes of a case: zeros of its size, or of size, with patches.
func (v *vector) image(t testing.TB, size uint64) []byte {
	t.Helper()
	if v.has("size") {
		size = v.number(t, "size")
	}
	b := make([]byte, size)
	v.patch(t, "at", b)
	return b
}

// Check each identity of testdata/identity.txt: what it decodes to or which
// error, and that encoding the result gives the same bytes, checksum included.
func TestIdentityVectors(t *testing.T) {
	eachVector(t, "identity.txt", func(t *testing.T, v vector) {
		stored := v.image(t, IdentityBytes)
		id, err := DecodeIdentity(stored)
		if v.failed(t, err) {
			return
		}
		wantIdentity(t, &v, &id)
		dst := bytes.Repeat([]byte{0xee}, IdentityBytes+8)
		id.Encode(dst)
		if ready := le.Uint64(dst[IdReady:]); ready != 0 {
			t.Errorf("ready word %#x is stored by Encode, the caller stores it last", ready)
		}
		le.PutUint64(dst[IdReady:], ReadyWord)
		if same := bytes.Equal(dst[:IdentityBytes], stored); same == v.has("encode") {
			t.Errorf("encodes to the stored bytes: %v", same)
		}
		if !bytes.Equal(dst[IdentityBytes:], bytes.Repeat([]byte{0xee}, 8)) {
			t.Error("encodes past the identity")
		}
	})
}

func wantIdentity(t *testing.T, v *vector, id *Identity) {
	t.Helper()
	v.want(t, "major", uint64(id.Major))
	v.want(t, "minor", uint64(id.Minor))
	v.want(t, "optional", id.Optional)
	v.want(t, "writer_off", id.WriterOff)
	v.want(t, "writer_bytes", id.WriterBytes)
	v.want(t, "data_off", id.DataOff)
	v.want(t, "capacity", id.Capacity)
	v.want(t, "frame_limit", id.FrameLimit)
	v.want(t, "start", id.Start)
	v.want(t, "created_ns", id.CreatedNs)
	v.want(t, "creator_pid", uint64(id.CreatorPID))
	v.want(t, "creator_uid", uint64(id.CreatorUID))
	v.want(t, "policy", uint64(id.Policy))
	v.want(t, "slots", uint64(id.Slots))
	v.want(t, "schema_dtype", uint64(id.Schema.DType))
	v.want(t, "schema_ndim", uint64(id.Schema.NDim))
	wantRingID(t, v, id.RingID)
	shape := "0 0 0 0 0 0 0 0"
	if v.has("schema_shape") {
		shape = v.text(t, "schema_shape")
	}
	if got := strings.Trim(fmt.Sprint(id.Schema.Shape), "[]"); got != shape {
		t.Errorf("schema shape %s, want %s", got, shape)
	}
	if id.Name != v.text(t, "name") {
		t.Errorf("name %q, want %q", id.Name, v.text(t, "name"))
	}
	if got, want := id.CreatorExe, strings.Join(v.fields["creator_exe"], ""); got != want {
		t.Errorf("creator %q, want %q", got, want)
	}
	if !bytes.Equal(id.Meta, v.bytes(t, "meta")) {
		t.Errorf("metadata %q, want %q", id.Meta, v.bytes(t, "meta"))
	}
}

// Check that a bit flipped anywhere in a complete identity is noticed: no
// checksummed or checking byte is left out.
func TestIdentityEveryBitCounts(t *testing.T) {
	id := NewIdentity("x", MinCapacityBytes)
	b := make([]byte, IdentityBytes)
	id.Encode(b)
	le.PutUint64(b[IdReady:], ReadyWord)
	if _, err := DecodeIdentity(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		if i == IdMinor || i == IdMinor+1 {
			continue // any minor version decodes, but the checksum covers it below
		}
		b[i] ^= 1 << (i % 8)
		if _, err := DecodeIdentity(b); err == nil {
			t.Errorf("bit %d of byte %d flipped: decodes", i%8, i)
		}
		b[i] ^= 1 << (i % 8)
	}
	b[IdMinor] ^= 1
	if _, err := DecodeIdentity(b); !errors.Is(err, ErrChecksum) {
		t.Errorf("minor version flipped: %v, want %v", err, ErrChecksum)
	}
}

// Check that a version this program does not speak is named with both numbers.
func TestIdentityVersionIsReported(t *testing.T) {
	id := NewIdentity("x", MinCapacityBytes)
	id.Major, id.Minor = 9, 4
	b := make([]byte, IdentityBytes)
	id.Encode(b)
	if _, err := DecodeIdentity(b); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "9.4") || !strings.Contains(err.Error(), "1.0") {
		t.Errorf("%v: want both versions", err)
	}
}

// Check that the result does not alias the segment, which others may write.
func TestIdentityIsACopy(t *testing.T) {
	id := NewIdentity("x", MinCapacityBytes)
	id.Meta = []byte(`{"a":1}`)
	b := make([]byte, IdentityBytes)
	id.Encode(b)
	le.PutUint64(b[IdReady:], ReadyWord)
	got, err := DecodeIdentity(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if string(got.Meta) != `{"a":1}` || got.Name != "x" {
		t.Errorf("changed with the segment: %q, %q", got.Meta, got.Name)
	}
	if meta := append(got.Meta, "overrun"...); &meta[0] == &got.Meta[0] {
		t.Error("metadata has spare capacity")
	}
}

// Check that NewIdentity is valid for every capacity, keeps regions apart and
// aligns large data regions for huge pages.
func TestNewIdentityEveryCapacity(t *testing.T) {
	for c := uint64(MinCapacityBytes); c <= MaxCapacityBytes; c *= 2 {
		id := NewIdentity("x", c)
		if err := id.Check(); err != nil {
			t.Errorf("capacity %d: %v", c, err)
		}
		wantOff := uint64(DataOffset)
		if c >= HugeFromBytes {
			wantOff = HugeAlignBytes
		}
		if id.DataOff != wantOff || id.SegmentBytes() != wantOff+c || id.FrameLimit != c/4 {
			t.Errorf("capacity %d: data at %d, %d bytes, frame limit %d", c, id.DataOff, id.SegmentBytes(), id.FrameLimit)
		}
		// The largest frame, the padding it may need and the word behind both fit.
		if need := 2*MaxFrameBytes(id.FrameLimit) + LineBytes; need > c {
			t.Errorf("capacity %d: the largest frame can need %d bytes", c, need)
		}
	}
}

// Check what only a creator can get wrong, as no encoding can express it.
func TestIdentityCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Identity)
		want   error
	}{
		"long name":     {func(id *Identity) { id.Name = strings.Repeat("n", MaxNameBytes+1) }, ErrName},
		"long creator":  {func(id *Identity) { id.CreatorExe = strings.Repeat("n", MaxNameBytes+1) }, ErrName},
		"long metadata": {func(id *Identity) { id.Meta = make([]byte, MaxMetaBytes+1) }, ErrGeometry},
		"zero value":    {func(id *Identity) { *id = Identity{} }, ErrVersion},
		"zero schema":   {func(id *Identity) { id.Schema = Schema{} }, ErrShape},
	} {
		id := NewIdentity("x", MinCapacityBytes)
		c.change(&id)
		if err := id.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
