package proto

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math/big"
	"testing"
)

// FuzzDecodeHeader checks that no bytes, position or limit make the decoder
// panic, and that what it accepts describes memory inside src.
func FuzzDecodeHeader(f *testing.F) {
	for _, v := range readVectors(f, "headers.txt") {
		src := make([]byte, min(v.number(f, "space"), 512))
		copy(src, v.bytes(f, "bytes"))
		f.Add(src, v.number(f, "position"), v.number(f, "limit"), uint8(v.number(f, "kind")))
	}
	f.Fuzz(func(t *testing.T, src []byte, position, limit uint64, kind uint8) {
		var h Header
		if err := DecodeHeader(&h, src, position, limit); err == nil {
			wantInside(t, &h, src, limit)
		} else if !errors.Is(err, ErrHeader) && !errors.Is(err, ErrShape) && !errors.Is(err, ErrTruncated) {
			t.Fatalf("error without a sentinel: %v", err)
		}
		k := max(1, Kind(kind)&KindMask) // past the commit word, where most of the decoder is
		if DecodeCommitted(&h, k, src, position, limit) == nil {
			wantInside(t, &h, src, limit)
		}
	})
}

// wantInside checks with unbounded arithmetic that frame and elements lie in src,
// and that encoding the header gives it back.
func wantInside(t *testing.T, h *Header, src []byte, limit uint64) {
	size, head := h.FrameBytes(), h.HeadBytes()
	if size > uint64(len(src)) || size < LineBytes || size%LineBytes != 0 || head+h.PayloadLen > size || head < BaseBytes {
		t.Fatalf("frame of %d bytes with a head of %d in %d: %+v", size, head, len(src), h)
	}
	if h.Kind == KindPadding {
		if size != uint64(len(src)) {
			t.Fatalf("padding of %d bytes, the wrap is at %d", size, len(src))
		}
		return
	}
	if h.PayloadLen > limit || h.NDim > MaxDims || !h.DType.Valid() {
		t.Fatalf("limit %d: %+v", limit, h)
	}
	item := int64(h.DType.Size())
	reach, empty := big.NewInt(item), false
	for i := range h.NDim {
		if h.Strides[i] < 0 || h.Strides[i]%item != 0 {
			t.Fatalf("stride %d: %+v", h.Strides[i], h)
		}
		empty = empty || h.Shape[i] == 0
		last := new(big.Int).SetUint64(h.Shape[i])
		last.Sub(last, big.NewInt(1))
		reach.Add(reach, last.Mul(last, big.NewInt(h.Strides[i])))
	}
	if !empty && reach.Cmp(new(big.Int).SetUint64(h.PayloadLen)) > 0 {
		t.Fatalf("elements reach %v bytes into %d: %+v", reach, h.PayloadLen, h)
	}
	again := make([]byte, len(src))
	h.Encode(again)
	var back Header
	if err := DecodeCommitted(&back, h.Kind, again, 0, limit); err != nil || back != *h {
		t.Fatalf("%+v comes back as %+v, %v", h, back, err)
	}
}

// FuzzDecodeIdentity checks that no bytes make the decoder panic, as they are and
// with the seals repaired, and that what it accepts is consistent.
func FuzzDecodeIdentity(f *testing.F) {
	for _, v := range readVectors(f, "identity.txt") {
		b := v.image(f, IdentityBytes)
		f.Add(b[:min(len(b), IdMeta)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < IdentityBytes {
			checkIdentity(t, data)
		}
		b := make([]byte, IdentityBytes)
		copy(b, data)
		checkIdentity(t, b)
		le.PutUint64(b[IdMagic:], SegmentMagic)
		le.PutUint32(b[IdEndian:], EndianProbe)
		le.PutUint16(b[IdMajor:], VersionMajor)
		le.PutUint64(b[IdRequired:], 0)
		le.PutUint64(b[IdCRC:], uint64(crc32.ChecksumIEEE(b[:IdCRC])))
		le.PutUint64(b[IdReady:], ReadyWord)
		checkIdentity(t, b)
	})
}

func checkIdentity(t *testing.T, b []byte) {
	id, err := DecodeIdentity(b)
	if err != nil {
		wantSentinel(t, err)
		return
	}
	if err := id.Check(); err != nil {
		t.Fatalf("accepted, but %v", err)
	}
	end := id.WriterOff + id.WriterBytes
	if id.WriterOff < IdentityBytes || end < id.WriterOff || id.DataOff < end || id.SegmentBytes() <= id.DataOff || id.DataOff%LineBytes != 0 {
		t.Fatalf("regions overlap: %+v", id)
	}
	if 4*id.FrameLimit > id.Capacity || id.FrameLimit == 0 {
		t.Fatalf("frame limit %d of %d", id.FrameLimit, id.Capacity)
	}
	again := make([]byte, IdentityBytes)
	id.Encode(again)
	le.PutUint64(again[IdReady:], ReadyWord)
	back, err := DecodeIdentity(again)
	if err != nil || back.SegmentBytes() != id.SegmentBytes() || back.Name != id.Name || back.Schema != id.Schema || !bytes.Equal(back.Meta, id.Meta) {
		t.Fatalf("%+v comes back as %+v, %v", id, back, err)
	}
}

func wantSentinel(t *testing.T, err error) {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return
		}
	}
	t.Fatalf("error without a sentinel: %v", err)
}

// FuzzMessages checks that no packet makes a decoder panic, and that what it
// accepts comes back after encoding.
func FuzzMessages(f *testing.F) {
	for _, v := range readVectors(f, "messages.txt") {
		f.Add(v.bytes(f, "bytes"))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := decodeAny(packet)
		if err != nil {
			wantSentinel(t, err)
			return
		}
		again := make([]byte, len(packet))
		switch {
		case m.hello != nil:
			m.hello.Encode(again)
			if back, err := DecodeHello(again); err != nil || back != *m.hello {
				t.Fatalf("%+v comes back as %+v, %v", m.hello, back, err)
			}
		case m.welcome != nil:
			m.welcome.Encode(again)
			if back, err := DecodeWelcome(again); err != nil || back != *m.welcome {
				t.Fatalf("%+v comes back as %+v, %v", m.welcome, back, err)
			}
		case m.refusal != nil:
			m.refusal.Encode(again)
			if back, err := DecodeRefusal(again); err != nil || back != *m.refusal {
				t.Fatalf("%+v comes back as %+v, %v", m.refusal, back, err)
			}
		default:
			m.note.Encode(again)
			if !bytes.Equal(again, packet) {
				t.Fatalf("%x comes back as %x", packet, again)
			}
		}
	})
}

// FuzzCheckChunk checks that a length that passes obeys every rule.
func FuzzCheckChunk(f *testing.F) {
	f.Add([]byte{0, 0, 0, 40}, uint64(40), uint64(40))
	f.Add([]byte{0xff, 0xff, 0xff, 0xf8, 1}, uint64(1)<<63, uint64(0))
	f.Add([]byte{0, 0, 0}, uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, src []byte, limit, exact uint64) {
		n, err := CheckChunk(src, limit, exact)
		if err != nil {
			if n != 0 || !errors.Is(err, ErrChunk) && !errors.Is(err, ErrTruncated) {
				t.Fatalf("%d, %v", n, err)
			}
			return
		}
		if n == 0 || n%SeedItemBytes != 0 || n > limit || exact != 0 && n != exact || !bytes.Equal(AppendChunkHead(nil, uint32(n)), src[:SeedChunkHeadBytes]) {
			t.Fatalf("%x with limit %d, exactly %d: %d", src, limit, exact, n)
		}
	})
}

// FuzzResultHead checks that an accepted result header comes back byte for byte.
func FuzzResultHead(f *testing.F) {
	f.Add(ResultHead{TimeNs: 1 << 60, Sequence: 7, Role: RoleDelta}.Append(nil))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := DecodeResultHead(src)
		if err != nil {
			wantSentinel(t, err)
			return
		}
		if !bytes.Equal(r.Append(nil), src[:SeedResultHeadBytes]) {
			t.Fatalf("%x decodes to %+v", src, r)
		}
	})
}

// FuzzTableHead checks that no bytes make the decoders of a reader table panic,
// and that every slot of an accepted table lies inside it.
func FuzzTableHead(f *testing.F) {
	for _, v := range readVectors(f, "table.txt") {
		b := v.image(f, 0)
		f.Add(b[:min(len(b), 4096)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkTable(t, data)
		if len(data) < TableHeadBytes {
			return
		}
		b := bytes.Clone(data)
		le.PutUint64(b[TbMagic:], TableMagic)
		le.PutUint16(b[TbMajor:], VersionMajor)
		checkTable(t, b)
	})
}

func checkTable(t *testing.T, b []byte) {
	head, err := DecodeTableHead(b)
	if err != nil {
		wantSentinel(t, err)
		return
	}
	if head.Slots == 0 || head.Slots > MaxReaderSlots || TableBytes(head.Slots) > uint64(len(b)) {
		t.Fatalf("%d slots in %d bytes", head.Slots, len(b))
	}
	for i := range uint64(head.Slots) {
		src := b[TableHeadBytes+i*SlotBytes:][:SlotBytes]
		s := DecodeSlot(src)
		again := make([]byte, SlotBytes)
		s.Encode(again)
		le.PutUint64(again[SlState:], s.StateWord())
		if back := DecodeSlot(again); back != s {
			t.Fatalf("slot %d: %+v comes back as %+v", i, s, back)
		}
	}
}
