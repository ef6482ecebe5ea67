package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/proto/npy"
	"github.com/ndring/ndring/ring"
)

// written returns the frames that write commits to a ring on the heap.
func written(t *testing.T, write func(*ring.Writer)) *ring.Observer {
	t.Helper()
	id := proto.NewIdentity("heap", proto.MinCapacityBytes)
	id.RingID[0] = 1
	seg, err := ring.Format(aligned(id.SegmentBytes()), id)
	if err != nil {
		t.Fatal(err)
	}
	table, err := ring.FormatTable(aligned(proto.TableBytes(id.Slots)), &id, 1)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ring.NewWriter(seg, table, ring.WriterConfig{FreeRun: true})
	if err != nil {
		t.Fatal(err)
	}
	write(w)
	w.Finish()
	o, err := ring.NewObserver(seg, ring.ObserverConfig{Start: proto.StartOldest, Wait: func(context.Context, uint64) error { return io.EOF }})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// aligned is zeroed memory at a multiple of 64, as every slice of this size is in
// Go.
func aligned(bytes uint64) []byte { return make([]byte, bytes) }

func printed(t *testing.T, format string, o *ring.Observer) (string, error) {
	t.Helper()
	var out bytes.Buffer
	p, err := New(&out, format, 2)
	if err != nil {
		t.Fatal(err)
	}
	for f, err := range o.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Frame(f); err != nil {
			return out.String(), err
		}
	}
	return out.String(), nil
}

// oneEach commits a frame of every dtype, values 0 and NaN where there is one, and
// the end of a stream.
func oneEach(t *testing.T) func(*ring.Writer) {
	return func(w *ring.Writer) {
		for dt := proto.F64; dt.Valid(); dt++ {
			c, err := w.Claim(t.Context(), dt, 2)
			if err != nil {
				t.Fatal(err)
			}
			clear(c.Payload())
			if x := c.Float64s(); x != nil {
				x[0], x[1] = math.NaN(), math.Inf(-1)
			}
			c.Commit()
		}
		c, err := w.ClaimFrame(t.Context(), &proto.Header{Kind: proto.KindStreamEnd, DType: proto.U8, NDim: 1, ExtFlags: proto.ExtStream, Stream: 9, Sequence: 4})
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
	}
}

// Check that every dtype is printed as text, one line a frame.
func TestText(t *testing.T) {
	out, err := printed(t, Text, written(t, oneEach(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"#0 f64[2]  [NaN -Inf]\n", "#3 i8[2]  [0 0]\n", "#11 bool[2]  [false false]\n", "#12 c64[2]", "#14 stream-end seq 4 stream 9\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// Check that every line of JSON parses and holds all values, NaN as a string.
func TestJSON(t *testing.T) {
	out, err := printed(t, JSON, written(t, oneEach(t)))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 15 || !strings.Contains(lines[0], `"values":["NaN","-Infinity"]`) || !strings.Contains(lines[13], `[[0,0],[0,0]]`) {
		t.Errorf("printed\n%s", out)
	}
	for _, line := range lines {
		var h Header
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// Check that a printer of a ring names it with every frame, data or not, in text and
// JSON, and that the printer it was made of does not.
func TestOf(t *testing.T) {
	for format, want := range map[string]string{Text: "cam  #", JSON: `{"ring":"cam","number":`} {
		var out bytes.Buffer
		p, err := New(&out, format, 2)
		if err != nil {
			t.Fatal(err)
		}
		named := p.Of("cam")
		for f, err := range written(t, oneEach(t)).Frames(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []*Printer{named, p} {
				if err := q.Frame(f); err != nil {
					t.Fatal(err)
				}
			}
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, want) != (i%2 == 0) || i%2 == 1 && strings.Contains(line, "cam") {
				t.Errorf("%s, line %d: %s", format, i, line)
			}
		}
		if len(lines) != 30 {
			t.Errorf("%s: %d lines, want 30", format, len(lines))
		}
	}
}

// Check that .npy arrays come back one after another, and that the end of a stream
// is not among them.
func TestNPY(t *testing.T) {
	out, err := printed(t, NPY, written(t, oneEach(t)))
	if err != nil {
		t.Fatal(err)
	}
	in := strings.NewReader(out)
	for dt := proto.F64; dt.Valid(); dt++ {
		if a, err := npy.Read(in); err != nil || a.DType() != dt {
			t.Errorf("read %v, %v, want %v", a, err, dt)
		}
	}
	if _, err := npy.Read(in); err != io.EOF {
		t.Errorf("after the last array: %v, want io.EOF", err)
	}
}

// Check that a frame whose strides of 0 make it 2^48 elements is refused by JSON
// and .npy, and is no trouble for a line of text.
func TestHugeStrided(t *testing.T) {
	h := proto.Header{DType: proto.U8, NDim: 2, ExtFlags: proto.ExtShape | proto.ExtStrides}
	h.Shape[0], h.Shape[1] = 1<<24, 1<<20
	huge := func(w *ring.Writer) {
		c, err := w.ClaimFrame(t.Context(), &h)
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
	}
	for _, format := range []string{JSON, NPY} {
		if _, err := printed(t, format, written(t, huge)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", format, err)
		}
	}
	if out, err := printed(t, Text, written(t, huge)); err != nil || !strings.Contains(out, "u8[16777216,1048576]  [0 0 …]") {
		t.Errorf("text: %q, %v", out, err)
	}
}

// Check that values read alone are the first ones, however many there are.
func TestFirst(t *testing.T) {
	a, err := nd.From([]float64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{0, 1, 2, 3, 3} {
		if got, err := First(a, n); err != nil || len(got) != want {
			t.Errorf("First(%d) = %v, %v", n, got, err)
		}
	}
}

// Check that an unknown format is refused by name.
func TestNewRefuses(t *testing.T) {
	if _, err := New(io.Discard, "xml", 1); !errors.Is(err, ErrFormat) {
		t.Errorf("format xml: %v, want ErrFormat", err)
	}
}
