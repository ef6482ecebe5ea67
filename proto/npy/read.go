package npy

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// firstBytes is how much memory Read takes on the word of a header alone.
const firstBytes = 4 << 20

// Read reads one array and consumes exactly its bytes, so that arrays which
// follow each other are read by calling it again; at the end of r it returns
// io.EOF. The array owns its memory, is aligned for its type and little-endian;
// Fortran order stands in its strides. The errors are those of ReadHeader; when
// data is missing, one that wraps proto.ErrTruncated names both sizes.
func Read(r io.Reader) (nd.Array, error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nd.Array{}, err
	}
	data, err := readData(r, h.DataBytes())
	if err != nil {
		return nd.Array{}, err
	}
	if h.BigEndian {
		swap(data, h.Desc.DType)
	}
	return nd.New(h.Desc, data)
}

// readData doubles its memory only after what it has is filled. Memory that has
// grown is larger than a page and so starts on one.
func readData(r io.Reader, total int) ([]byte, error) {
	data, err := aligned(min(total, firstBytes))
	if err != nil {
		return nil, err
	}
	for have := 0; ; {
		n, err := io.ReadFull(r, data[have:])
		have += n
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("read npy data: %w", err)
		}
		if err != nil {
			return nil, truncated("data", total, have)
		}
		if have == total {
			return data, nil
		}
		size := min(2*have, total)
		data = slices.Grow(data, size-have)[:size]
	}
}

// aligned returns n bytes that start at a multiple of any element's alignment,
// which append and make do not promise for bytes.
func aligned(n int) ([]byte, error) {
	a, err := nd.Make(proto.U8, n)
	if err != nil {
		return nil, err
	}
	return a.Contents()
}

// Parse returns the array at the start of b in place: it shares b, which must
// stay as long as the array is used. Big-endian data is copied and swapped
// instead. Bytes behind the data are ignored. Typed slices need b to be
// aligned, as mapped and freshly read files are. The errors are those of
// ParseHeader; when data is missing, one that wraps proto.ErrTruncated names
// both sizes.
func Parse(b []byte) (nd.Array, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return nd.Array{}, err
	}
	data, n := b[h.Bytes:], h.DataBytes()
	if len(data) < n {
		return nd.Array{}, truncated("data", n, len(data))
	}
	if h.BigEndian {
		swapped, err := aligned(n)
		if err != nil {
			return nd.Array{}, err
		}
		copy(swapped, data)
		swap(swapped, h.Desc.DType)
		data = swapped
	}
	return nd.New(h.Desc, data)
}

// swap reverses the bytes of each number; a complex one is two numbers.
func swap(data []byte, dt proto.DType) {
	size := dt.Size()
	if dt == proto.C64 || dt == proto.C128 {
		size /= 2
	}
	for ; len(data) >= size; data = data[size:] {
		slices.Reverse(data[:size])
	}
}
