package script

import (
	"encoding/binary"
	"fmt"

	"github.com/ndring/ndring/proto"
)

// Frame is one frame that is due.
type Frame struct {
	Head    proto.Header // complete, with its number
	First   uint64       // where its padding starts, or At
	At, End uint64
	Payload []byte
}

// Ledger is what a ring must hold once everything was committed.
type Ledger struct {
	Capacity, Start uint64
	Frames          []Frame
}

// End is the position behind the first n frames.
func (l *Ledger) End(n int) uint64 {
	if n == 0 {
		return l.Start
	}
	return l.Frames[n-1].End
}

// Add enters frames that become visible together. A description that no writer
// accepts is a mistake in the script and panics.
func (l *Ledger) Add(heads ...proto.Header) []Frame {
	size, from := uint64(0), len(l.Frames)
	for i := range heads {
		h := &heads[i]
		if h.Kind == 0 {
			h.Kind = proto.KindData
		}
		if err := h.Complete(); err != nil {
			panic(fmt.Sprintf("script: frame %d: %v", from+i, err))
		}
		size += h.FrameBytes()
	}
	first := l.End(from)
	at := first
	if left := l.Capacity - at&(l.Capacity-1); size > left {
		at += left
	}
	for i, h := range heads {
		h.Number = uint64(from + i)
		if i < len(heads)-1 {
			h.Flags |= proto.FlagMore
		}
		f := Frame{Head: h, First: first, At: at, End: at + h.FrameBytes(), Payload: Payload(h.Number, h.PayloadLen)}
		l.Frames = append(l.Frames, f)
		first, at = f.End, f.End
	}
	return l.Frames[from:]
}

// IndexAt is the index of the first frame that a reader at position gets.
func (l *Ledger) IndexAt(position uint64) (int, error) {
	if position == l.Start {
		return 0, nil
	}
	for i := range l.Frames {
		f := &l.Frames[i]
		if position == f.End {
			return i + 1, nil
		}
		if position == f.At {
			return i, nil
		}
	}
	return 0, fmt.Errorf("position %d is no start of a frame", position)
}

// Payload is what frame number holds: bytes that differ from those of every other
// frame at every word, and are never the zero that fresh memory holds.
func Payload(number, bytes uint64) []byte {
	b := make([]byte, 0, bytes+8)
	for x := number << 32; uint64(len(b)) < bytes; x++ {
		v := (x + 1) * 0x9e3779b97f4a7c15
		b = binary.LittleEndian.AppendUint64(b, v^v>>29|1)
	}
	return b[:bytes]
}
