package proto

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Check each header of testdata/headers.txt: what it decodes to or which error,
// and that encoding the result gives the same bytes.
func TestHeaderVectors(t *testing.T) {
	eachVector(t, "headers.txt", func(t *testing.T, v vector) {
		src := make([]byte, v.number(t, "space"))
		stored := v.bytes(t, "bytes")
		if copy(src, stored) < len(stored) {
			t.Fatalf("%d bytes in a space of %d", len(stored), len(src))
		}
		position := v.number(t, "position")
		var h Header
		if v.failed(t, DecodeHeader(&h, src, position, v.number(t, "limit"))) {
			return
		}
		wantHeader(t, &v, &h)
		if v.has("encode") {
			return
		}
		wantEncoding(t, &h, stored, position)
	})
}

func wantHeader(t *testing.T, v *vector, h *Header) {
	t.Helper()
	v.want(t, "kind", uint64(h.Kind))
	v.want(t, "number", h.Number)
	v.want(t, "payload", h.PayloadLen)
	v.want(t, "dtype", uint64(h.DType))
	v.want(t, "flags", uint64(h.Flags))
	v.want(t, "ext_flags", uint64(h.ExtFlags))
	v.want(t, "role", uint64(h.Role))
	v.want(t, "sequence", uint64(h.Sequence))
	v.want(t, "time", h.TimeNs)
	v.want(t, "stream", h.Stream)
	v.want(t, "source", h.Source)
	v.want(t, "source_id", h.SourceID)
	v.want(t, "head", h.HeadBytes())
	v.want(t, "frame", h.FrameBytes())
	if h.Kind == KindPadding {
		return
	}
	if got := dims(h.Shape[:h.NDim]); got != v.text(t, "shape") {
		t.Errorf("shape is %s, want %s", got, v.text(t, "shape"))
	}
	if got := dims(h.Strides[:h.NDim]); got != v.text(t, "strides") {
		t.Errorf("strides are %s, want %s", got, v.text(t, "strides"))
	}
}

func dims[T uint64 | int64](n []T) string {
	if len(n) == 0 {
		return "scalar"
	}
	return strings.Trim(fmt.Sprint(n), "[]")
}

// wantEncoding encodes h over bytes of an earlier lap and expects stored.
func wantEncoding(t *testing.T, h *Header, stored []byte, position uint64) {
	t.Helper()
	want := make([]byte, h.HeadBytes())
	copy(want, stored)
	got := bytes.Repeat([]byte{0xee}, int(h.HeadBytes())+8)
	le.PutUint64(got[FrCommit:], position|uint64(h.Kind))
	h.Encode(got)
	if !bytes.Equal(got[:len(want)], want) {
		t.Errorf("encodes to\n%x, want\n%x", got[:len(want)], want)
	}
	if tail := got[len(want):]; !bytes.Equal(tail, bytes.Repeat([]byte{0xee}, 8)) {
		t.Errorf("payload is touched: %x", tail)
	}
}

// Check that random valid headers come back as they went in, whatever the space
// held before, at positions around 0, 2^63 and 2^64.
func TestHeaderRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	bases := []uint64{0, 1 << 20, 1<<63 - 1<<16, 1 << 63, 1<<64 - 1<<16}
	for i := range 20000 {
		h := randomHeader(rnd)
		position := bases[rnd.IntN(len(bases))] + LineBytes*rnd.Uint64N(1024)
		src := make([]byte, h.FrameBytes())
		for j := range src {
			src[j] = byte(rnd.Uint32())
		}
		le.PutUint64(src[FrCommit:], position|uint64(h.Kind))
		h.Encode(src)
		var got Header
		if err := DecodeHeader(&got, src, position, h.PayloadLen); err != nil {
			t.Fatalf("seed %d, header %d: %+v: %v", seed, i, h, err)
		}
		if got != h {
			t.Fatalf("seed %d, header %d: wrote %+v, read %+v", seed, i, h, got)
		}
	}
}

// randomHeader is a valid header as DecodeHeader returns it.
func randomHeader(rnd *rand.Rand) Header {
	h := Header{
		Kind: KindData, Number: rnd.Uint64(), DType: F64 + DType(rnd.IntN(int(C128))),
		NDim: uint8(rnd.IntN(MaxDims + 1)), Flags: uint8(rnd.IntN(2)) * FlagMore,
	}
	item, count := uint64(h.DType.Size()), uint64(1)
	for i := range h.NDim {
		h.Shape[i] = rnd.Uint64N(4)
		count *= h.Shape[i]
	}
	strided := h.NDim > 0 && rnd.IntN(3) == 0
	if h.NDim != 1 || strided || rnd.IntN(2) == 0 {
		h.Flags |= FlagExtended
		h.ExtFlags = uint8(rnd.IntN(extKnown+1)) &^ ExtStrides
		h.Role, h.Sequence = Role(rnd.Uint32()), rnd.Uint32()
		h.TimeNs, h.Stream, h.Source, h.SourceID = rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64()
	}
	if h.NDim > 1 || strided {
		h.ExtFlags |= ExtShape
	}
	if !strided {
		h.PayloadLen, _ = ContiguousStrides(item, h.Shape[:h.NDim], h.Strides[:h.NDim])
		return h
	}
	h.ExtFlags |= ExtStrides
	for i := range h.NDim {
		h.Strides[i] = int64(item * rnd.Uint64N(5))
	}
	h.PayloadLen, _ = StridedBytes(item, h.Shape[:h.NDim], h.Strides[:h.NDim])
	h.PayloadLen += rnd.Uint64N(100)
	return h
}

// Check that a frame cut anywhere before its end is refused, and decodes again
// when the last byte is there.
func TestDecodeHeaderCut(t *testing.T) {
	h := Header{Kind: KindData, DType: F64, NDim: 3, ExtFlags: ExtShape | ExtStrides, PayloadLen: 96}
	copy(h.Shape[:], []uint64{2, 3, 2})
	copy(h.Strides[:], []int64{48, 16, 8})
	src := make([]byte, h.FrameBytes())
	le.PutUint64(src[FrCommit:], uint64(h.Kind))
	h.Encode(src)
	for n := range src {
		var got Header
		err := DecodeHeader(&got, src[:n:n], 0, 1<<20)
		want := ErrHeader
		if n < LineBytes {
			want = ErrTruncated
		}
		if !errors.Is(err, want) {
			t.Fatalf("cut to %d of %d bytes: %v, want %v", n, len(src), err, want)
		}
	}
	var got Header
	if err := DecodeHeader(&got, src, 0, 1<<20); err != nil {
		t.Fatal(err)
	}
}

// Check that DecodeCommitted believes the kind it is given and never looks at
// the commit word, which a writer may be changing.
func TestDecodeCommittedIgnoresWord(t *testing.T) {
	src := make([]byte, LineBytes)
	h := Header{Kind: KindData, DType: F64, NDim: 1, PayloadLen: 40}
	h.Encode(src)
	le.PutUint64(src[FrCommit:], 0xdeadbeef)
	var got Header
	if err := DecodeCommitted(&got, KindStreamEnd, src, 1<<63, 40); err != nil || got.Kind != KindStreamEnd {
		t.Fatalf("kind %d, %v; want %d", got.Kind, err, KindStreamEnd)
	}
	if err := DecodeCommitted(&got, KindData, src[:LineBytes-1], 0, 40); !errors.Is(err, ErrTruncated) {
		t.Fatalf("%v, want %v", err, ErrTruncated)
	}
}

// Check that whatever the destination held before leaves no trace in the result.
func TestDecodeHeaderOverwrites(t *testing.T) {
	src := make([]byte, LineBytes)
	h := Header{Kind: KindData, DType: F64, NDim: 1, PayloadLen: 40}
	le.PutUint64(src[FrCommit:], uint64(KindData))
	h.Encode(src)
	dirty := randomHeader(rand.New(rand.NewPCG(3, 3)))
	dirty.Role, dirty.Stream, dirty.Shape[7], dirty.Strides[7] = 9, 9, 9, 9
	if err := DecodeHeader(&dirty, src, 0, 40); err != nil {
		t.Fatal(err)
	}
	h.Shape[0], h.Strides[0] = 5, 8
	if dirty != h {
		t.Fatalf("got %+v, want %+v", dirty, h)
	}
}

// Check that decoding, which the reader does for each frame, allocates nothing.
func TestDecodeHeaderAllocs(t *testing.T) {
	src := make([]byte, 4*LineBytes)
	h := Header{Kind: KindData, DType: F64, NDim: 2, ExtFlags: ExtShape, PayloadLen: 48}
	copy(h.Shape[:], []uint64{2, 3})
	le.PutUint64(src[FrCommit:], uint64(KindData))
	h.Encode(src)
	var got Header
	if n := testing.AllocsPerRun(100, func() {
		if DecodeHeader(&got, src, 0, 48) != nil {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations a header", n)
	}
}
