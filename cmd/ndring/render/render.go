package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/proto/npy"
	"github.com/ndring/ndring/ring"
)

// Formats of frames.
const (
	Text = "text"
	JSON = "json"
	NPY  = "npy"
)

// PreviewValues is how many values a line of text shows.
const PreviewValues = 8

// maxValues bounds what is printed of one frame: with strides of 0 a few bytes can
// claim to be 2^48 elements.
const maxValues = 1 << 24

// ErrTooLarge is returned when a frame has more elements than can be printed.
var ErrTooLarge = errors.New("frame is too large to print")

// ErrFormat is returned when a format is not known.
var ErrFormat = errors.New("unknown format")

// Printer prints frames. It and those that Of makes of it are for one goroutine at a
// time.
type Printer struct {
	out    io.Writer
	format string
	values int
	ring   string // named with each frame unless empty
}

// New returns a printer. values is how many values a line of text shows. The error
// wraps ErrFormat.
func New(out io.Writer, format string, values int) (*Printer, error) {
	switch format {
	case Text, JSON, NPY:
		return &Printer{out: out, format: format, values: values}, nil
	}
	return nil, fmt.Errorf("format %q; use text, json or npy: %w", format, ErrFormat)
}

// Of returns a printer to the same place that names ring with each frame. An array of
// npy has no room for a name.
func (p *Printer) Of(ring string) *Printer {
	q := *p
	q.ring = ring
	return &q
}

// Frame prints f. A stream's end is shown by text and JSON only.
func (p *Printer) Frame(f *ring.Frame) error {
	h := f.Header()
	if h.Kind != proto.KindData {
		return p.mark(&h, f.Lost())
	}
	a, err := f.Array()
	if err != nil {
		return err
	}
	switch p.format {
	case Text:
		_, err = fmt.Fprintf(p.out, "%s%s  %s\n", p.prefix(), Line(&h, f.Lost()), Preview(a, p.values))
		return err
	case JSON:
		return p.object(&h, f, a)
	}
	return p.array(&h, a)
}

// mark prints a frame that holds no data.
func (p *Printer) mark(h *proto.Header, lost uint64) error {
	var err error
	switch p.format {
	case Text:
		_, err = fmt.Fprintf(p.out, "%s%s\n", p.prefix(), Line(h, lost))
	case JSON:
		o := describe(h, lost)
		o.Ring = p.ring
		err = json.NewEncoder(p.out).Encode(o)
	}
	return err
}

// prefix is the ring's name before a line of text.
func (p *Printer) prefix() string {
	if p.ring == "" {
		return ""
	}
	return p.ring + "  "
}

func (p *Printer) object(h *proto.Header, f *ring.Frame, a nd.Array) error {
	values, err := Values(a, maxValues)
	if err != nil {
		return fmt.Errorf("frame %d: %w", h.Number, err)
	}
	o := describe(h, f.Lost())
	o.Ring, o.Position, o.Values = p.ring, f.Position(), values
	return json.NewEncoder(p.out).Encode(o)
}

// array writes f as .npy. What its elements take is bounded by what the frame
// occupies, or by maxValues where values repeat.
func (p *Printer) array(h *proto.Header, a nd.Array) error {
	if a.Bytes() > int(h.PayloadLen) && a.Len() > maxValues {
		return fmt.Errorf("frame %d: %d elements in %d bytes: %w", h.Number, a.Len(), h.PayloadLen, ErrTooLarge)
	}
	return npy.Write(p.out, a)
}

// Preview is the first n values in brackets.
func Preview(a nd.Array, n int) string {
	text := "[" + strings.Join(a.Preview(n), " ")
	if a.Len() > n {
		text += " …"
	}
	return text + "]"
}
