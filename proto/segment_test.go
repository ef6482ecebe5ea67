package proto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Check each segment of testdata/segments.txt with the walk that recovery,
// attaching and inspection make: from the tail over committed frames.
func TestSegmentVectors(t *testing.T) {
	eachVector(t, "segments.txt", func(t *testing.T, v vector) {
		mem := v.image(t, 0)
		id, err := DecodeIdentity(mem)
		if err != nil {
			t.Fatal(err)
		}
		if id.SegmentBytes() != uint64(len(mem)) {
			t.Fatalf("segment has %d bytes, its identity says %d", len(mem), id.SegmentBytes())
		}
		v.want(t, "start", id.Start)
		words := mem[id.WriterOff:][:id.WriterBytes]
		v.want(t, "epoch", le.Uint64(words[WrEpoch:]))
		v.want(t, "limit", le.Uint64(words[WrLimit:]))
		v.want(t, "tail", le.Uint64(words[WrTail:]))
		v.want(t, "number", le.Uint64(words[WrNumber:]))
		v.want(t, "flags", le.Uint64(words[WrFlags:]))
		wantFinal(t, &v, le.Uint64(words[WrFinal:]))
		wantMarks(t, &id, mem)
		wantWalk(t, &v, &id, mem[id.DataOff:])
	})
}

func wantFinal(t *testing.T, v *vector, word uint64) {
	t.Helper()
	if ended := word != 0; ended != v.has("ended") {
		t.Errorf("final word %#x", word)
	}
	v.want(t, "final", word&^KindMask)
}

// wantMarks checks that each mark starts a frame, or the end of what is
// committed, in the part of the ring it stands for.
func wantMarks(t *testing.T, id *Identity, mem []byte) {
	t.Helper()
	marks, data := mem[id.WriterOff+WrMarks:], mem[id.DataOff:]
	for i := range uint64(MarkCount) {
		p := le.Uint64(marks[8*i:])
		offset := p & (id.Capacity - 1)
		if p == 0 && i > 0 || offset*MarkCount/id.Capacity != i {
			continue // not set
		}
		if word := le.Uint64(data[offset:]); word != 0 && word&^KindMask != p {
			t.Errorf("mark %d at position %d: word %#x", i, p, word)
		}
	}
}

// wantWalk walks twice: from the start of the frames listed, and from the tail.
func wantWalk(t *testing.T, v *vector, id *Identity, data []byte) {
	t.Helper()
	from := v.number(t, "tail")
	listed := v.fields["frame"]
	if len(listed) > 0 {
		from = parseNumber(t, strings.Fields(listed[0])[0])
	}
	end, next, met, err := walk(id, data, from)
	v.failed(t, err)
	v.want(t, "end", end)
	v.want(t, "next", next)
	for i := range max(len(listed), len(met)) {
		var got, want string
		if i < len(met) {
			got = met[i]
		}
		if i < len(listed) {
			want = canonicalFrame(t, listed[i])
		}
		if got != want {
			t.Errorf("frame %d is %q, want %q", i, got, want)
		}
	}
	if again, _, _, _ := walk(id, data, v.number(t, "tail")); again != end {
		t.Errorf("walk from the tail ends at %d, from the first frame at %d", again, end)
	}
}

// walk is the recovery walk of docs/layout.md.
func walk(id *Identity, data []byte, from uint64) (end, next uint64, frames []string, err error) {
	for p := from; ; {
		src := data[p&(id.Capacity-1):]
		if word := le.Uint64(src); word&^KindMask != p || word&KindMask == 0 {
			return p, next, frames, nil
		}
		var h Header
		if err := DecodeHeader(&h, src, p, id.FrameLimit); err != nil {
			return p, next, frames, err
		}
		frames = append(frames, describeFrame(&h, src, p))
		next = h.Number
		if h.Kind != KindPadding {
			next++
		}
		p += h.FrameBytes()
	}
}

func describeFrame(h *Header, src []byte, p uint64) string {
	if h.Kind == KindPadding {
		return fmt.Sprintf("%#x %d %d 0 - -", p, h.Kind, h.Number)
	}
	shape := strings.ReplaceAll(dims(h.Shape[:h.NDim]), " ", "x")
	return fmt.Sprintf("%#x %d %d %d %s %x", p, h.Kind, h.Number, h.DType, shape, src[h.HeadBytes():][:h.PayloadLen])
}

func canonicalFrame(t *testing.T, line string) string {
	t.Helper()
	f := strings.Fields(line)
	payload := strings.Join(f[5:], " ")
	if payload != "-" {
		payload = fmt.Sprintf("%x", parseHex(t, payload))
	} else if f[1] != "2" {
		payload = ""
	}
	return fmt.Sprintf("%#x %s %s", parseNumber(t, f[0]), strings.Join(f[1:5], " "), payload)
}

// Check that decoding stores nothing: a peer may have mapped the segment
// read-only, and inspection must change no byte.
func TestDecodeLeavesSourceAlone(t *testing.T) {
	eachVector(t, "segments.txt", func(t *testing.T, v vector) {
		mem := v.image(t, 0)
		before := bytes.Clone(mem)
		id, err := DecodeIdentity(mem)
		if err != nil {
			t.Fatal(err)
		}
		walk(&id, mem[id.DataOff:], v.number(t, "tail"))
		if !bytes.Equal(before, mem) {
			t.Error("decoding changed the segment")
		}
	})
}
