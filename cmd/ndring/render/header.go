package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/ndring/ndring/proto"
)

// Header is a frame's header for people and machines.
type Header struct {
	Ring     string     `json:"ring,omitempty"` // where frames of several rings are shown
	Number   uint64     `json:"number"`
	Position uint64     `json:"position"`
	Kind     string     `json:"kind"`
	DType    string     `json:"dtype,omitempty"`
	Shape    []uint64   `json:"shape"`
	Strides  []int64    `json:"strides,omitempty"` // bytes, unless in C order
	Bytes    uint64     `json:"bytes"`
	Role     string     `json:"role,omitempty"`
	Stream   *uint64    `json:"stream,omitempty"`
	Sequence *uint32    `json:"sequence,omitempty"`
	Time     *time.Time `json:"time,omitempty"`
	Source   *uint64    `json:"source_position,omitempty"`
	Lost     uint64     `json:"lost,omitempty"`
	Values   []any      `json:"values,omitempty"`
}

// Describe is the header of a frame at position.
func Describe(h *proto.Header, position uint64) Header {
	d := describe(h, 0)
	d.Position = position
	return d
}

func describe(h *proto.Header, lost uint64) Header {
	d := Header{
		Number: h.Number, Kind: Kind(h.Kind), DType: h.DType.String(), Bytes: h.PayloadLen, Lost: lost,
		Shape: append([]uint64{}, h.Shape[:h.NDim]...),
	}
	if h.Kind != proto.KindData {
		d.DType = ""
	}
	if h.ExtFlags&proto.ExtStrides != 0 {
		d.Strides = append([]int64{}, h.Strides[:h.NDim]...)
	}
	if h.ExtFlags&proto.ExtStream != 0 {
		if h.Kind == proto.KindData {
			d.Role = Role(h.Role)
		}
		stream, sequence := h.Stream, h.Sequence
		d.Stream, d.Sequence = &stream, &sequence
	}
	if h.ExtFlags&proto.ExtTime != 0 {
		t := time.Unix(0, int64(h.TimeNs))
		d.Time = &t
	}
	if h.ExtFlags&proto.ExtSource != 0 {
		source := h.Source
		d.Source = &source
	}
	return d
}

// Line is the header as one line of text.
func Line(h *proto.Header, lost uint64) string {
	var b strings.Builder
	if lost > 0 {
		fmt.Fprintf(&b, "(%d lost) ", lost)
	}
	fmt.Fprintf(&b, "#%d", h.Number)
	if h.Kind == proto.KindData {
		fmt.Fprintf(&b, " %v%s", h.DType, Shape(h.Shape[:h.NDim]))
	} else {
		fmt.Fprintf(&b, " %s", Kind(h.Kind))
	}
	if h.ExtFlags&proto.ExtStream != 0 {
		if h.Kind == proto.KindData {
			fmt.Fprintf(&b, " %s", Role(h.Role))
		}
		fmt.Fprintf(&b, " seq %d stream %d", h.Sequence, h.Stream)
	}
	if h.ExtFlags&proto.ExtTime != 0 {
		fmt.Fprintf(&b, " %s", time.Unix(0, int64(h.TimeNs)).Format("15:04:05.000000"))
	}
	return b.String()
}

// Shape writes extents as [3,224,224].
func Shape(shape []uint64) string {
	return strings.ReplaceAll(fmt.Sprint(shape), " ", ",")
}

// Kind names a kind of frame.
func Kind(k proto.Kind) string {
	switch k {
	case proto.KindData:
		return "data"
	case proto.KindPadding:
		return "padding"
	case proto.KindStreamEnd:
		return "stream-end"
	}
	return fmt.Sprintf("kind-%d", k)
}

// Role names a role.
func Role(r proto.Role) string {
	switch r {
	case proto.RolePrimary:
		return "PRIMARY"
	case proto.RoleDelta:
		return "DELTA"
	}
	return fmt.Sprintf("role-%d", r)
}
