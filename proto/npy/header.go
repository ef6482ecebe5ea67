package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

const (
	magic         = "\x93NUMPY"
	prefixBytes   = len(magic) + 2 // magic and version
	maxTextBytes  = 1<<16 - 1      // what version 1.0 can say; eight dimensions need far less
	dataAlign     = 64
	growthDigits  = 21 // NumPy leaves room for the first axis to grow to so many digits
	lengthBytesV1 = 2
	lengthBytesV2 = 4
)

// Header says what follows it.
type Header struct {
	Desc      nd.Desc // strides are those of the data: C or Fortran order, no gaps
	BigEndian bool    // elements are to be swapped
	Bytes     int     // from the magic to the first byte of data
}

// DataBytes returns the length of the data behind the header.
func (h Header) DataBytes() int { return h.Desc.Bytes() }

// ReadHeader reads up to the first byte of data and not beyond. The error is
// io.EOF when r ends before the first byte; otherwise it wraps ErrMagic,
// ErrVersion, ErrHeader, ErrDType, proto.ErrShape, proto.ErrTruncated, or the
// error of r.
func ReadHeader(r io.Reader) (Header, error) {
	var head [prefixBytes + lengthBytesV2]byte
	if err := fill(r, head[:prefixBytes], "magic and version"); err != nil {
		return Header{}, err
	}
	lengthBytes, err := checkPrefix(head[:prefixBytes])
	if err != nil {
		return Header{}, err
	}
	if err := fill(r, head[prefixBytes:prefixBytes+lengthBytes], "header length"); err != nil {
		return Header{}, noEOF(err)
	}
	textBytes, err := textLength(head[prefixBytes : prefixBytes+lengthBytes])
	if err != nil {
		return Header{}, err
	}
	text := make([]byte, textBytes)
	if err := fill(r, text, "header"); err != nil {
		return Header{}, noEOF(err)
	}
	return decode(string(text), head[6], prefixBytes+lengthBytes+textBytes)
}

// ParseHeader reads the header at the start of b. Data follows at b[h.Bytes:].
// The errors are those of ReadHeader; an empty b is truncated.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < prefixBytes {
		return Header{}, truncated("magic and version", prefixBytes, len(b))
	}
	lengthBytes, err := checkPrefix(b[:prefixBytes])
	if err != nil {
		return Header{}, err
	}
	at := prefixBytes + lengthBytes
	if len(b) < at {
		return Header{}, truncated("header length", lengthBytes, len(b)-prefixBytes)
	}
	textBytes, err := textLength(b[prefixBytes:at])
	if err != nil {
		return Header{}, err
	}
	if len(b)-at < textBytes {
		return Header{}, truncated("header", textBytes, len(b)-at)
	}
	return decode(string(b[at:at+textBytes]), b[6], at+textBytes)
}

// checkPrefix returns how many bytes the header length takes.
func checkPrefix(b []byte) (int, error) {
	if string(b[:len(magic)]) != magic {
		return 0, fmt.Errorf("read npy: %w: starts with %q, not %q", ErrMagic, b[:len(magic)], magic)
	}
	major, minor := b[6], b[7]
	if minor != 0 || major < 1 || major > 3 {
		return 0, fmt.Errorf("read npy: %w: %d.%d, known are 1.0, 2.0 and 3.0", ErrVersion, major, minor)
	}
	if major == 1 {
		return lengthBytesV1, nil
	}
	return lengthBytesV2, nil
}

func textLength(b []byte) (int, error) {
	if len(b) == lengthBytesV1 {
		return int(binary.LittleEndian.Uint16(b)), nil
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxTextBytes {
		return 0, fmt.Errorf("read npy: %w: %d bytes long, at most %d", ErrHeader, n, maxTextBytes)
	}
	return int(n), nil
}

// decode turns the header text into a Header whose data starts at byte at.
func decode(text string, major byte, at int) (Header, error) {
	l, err := parseLiteral(text, major < 3)
	if err != nil {
		return Header{}, fmt.Errorf("read npy: %w", err)
	}
	dt, bigEndian, err := parseDescr(l.descr)
	if err != nil {
		return Header{}, fmt.Errorf("read npy: %w", err)
	}
	d := nd.Desc{DType: dt, NDim: l.ndim, Shape: l.shape}
	if d, err = d.Packed(); err != nil {
		return Header{}, fmt.Errorf("read npy: %w", err)
	}
	if l.fortran {
		stride := int64(dt.Size())
		for i := range d.NDim {
			d.Strides[i] = stride
			stride *= int64(max(d.Shape[i], 1))
		}
	}
	return Header{Desc: d, BigEndian: bigEndian, Bytes: at}, nil
}

// parseDescr reads NumPy's type string; without a byte-order mark it would be
// one of proto's own names, which mean something else.
func parseDescr(s string) (dt proto.DType, bigEndian bool, err error) {
	if s == "|O" || s == "O" {
		return 0, false, fmt.Errorf("%w: %q holds pickled Python objects", ErrDType, s)
	}
	if s == "" || s[0] != '<' && s[0] != '|' && s[0] != '>' {
		return 0, false, fmt.Errorf("%w: %q has no byte-order mark, one of < | >", ErrDType, s)
	}
	little := s
	if s[0] == '>' {
		little = "<" + s[1:]
	}
	dt, err = proto.ParseDType(little)
	if err != nil {
		return 0, false, fmt.Errorf("%w: %w", ErrDType, err)
	}
	return dt, s[0] == '>' && dt.Size() > 1, nil
}

// AppendHeader appends the version 1.0 header of a packed C-order array of d's
// type and shape; what follows it is d.Bytes() bytes. The error wraps
// proto.ErrShape when d is invalid.
func AppendHeader(dst []byte, d nd.Desc) ([]byte, error) {
	if _, err := d.Packed(); err != nil {
		return dst, fmt.Errorf("write npy: %w", err)
	}
	start := len(dst)
	dst = append(dst, magic+"\x01\x00\x00\x00{'descr': '"...)
	dst = append(dst, d.DType.Descr()...)
	dst = append(dst, "', 'fortran_order': False, 'shape': ("...)
	room := 0
	for i := range d.NDim {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		before := len(dst)
		dst = strconv.AppendUint(dst, d.Shape[i], 10)
		if i == 0 {
			room = growthDigits - (len(dst) - before)
		}
	}
	if d.NDim == 1 {
		dst = append(dst, ',')
	}
	dst = append(dst, "), }"...)
	for range room {
		dst = append(dst, ' ')
	}
	for (len(dst)-start+1)%dataAlign != 0 {
		dst = append(dst, ' ')
	}
	dst = append(dst, '\n')
	binary.LittleEndian.PutUint16(dst[start+prefixBytes:], uint16(len(dst)-start-prefixBytes-lengthBytesV1))
	return dst, nil
}

// fill reads all of b. It returns io.EOF as it is when nothing came.
func fill(r io.Reader, b []byte, what string) error {
	n, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		return nil
	case err == io.EOF:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return truncated(what, len(b), n)
	default:
		return fmt.Errorf("read npy %s: %w", what, err)
	}
}

// noEOF turns an end of stream in the middle of an array into an error.
func noEOF(err error) error {
	if err == io.EOF {
		return fmt.Errorf("read npy: %w: the stream ends inside the header", proto.ErrTruncated)
	}
	return err
}

func truncated(what string, want, have int) error {
	return fmt.Errorf("read npy %s: %w: %d bytes expected, %d present", what, proto.ErrTruncated, want, have)
}
