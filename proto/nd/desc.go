package nd

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/ndring/ndring/proto"
)

// Desc describes an array in memory the way a frame header stores it: extents
// in elements, strides in bytes, outermost axis first. Entries at NDim and
// beyond are ignored. Desc is comparable; Contiguous, Packed and Array.Desc
// leave the ignored entries zero.
type Desc struct {
	DType   proto.DType
	NDim    int
	Shape   [proto.MaxDims]uint64
	Strides [proto.MaxDims]int64
}

// Contiguous describes an array of the given shape in C order without gaps; no
// shape means one element. The error wraps proto.ErrShape when a dimension is
// negative, there are more than proto.MaxDims, dt is invalid, or the array
// exceeds proto.MaxPayloadBytes.
func Contiguous(dt proto.DType, shape ...int) (Desc, error) {
	d := Desc{DType: dt, NDim: len(shape)}
	if len(shape) > proto.MaxDims {
		return Desc{}, fmt.Errorf("describe array: %w: %d dimensions, at most %d", proto.ErrShape, len(shape), proto.MaxDims)
	}
	for i, n := range shape {
		if n < 0 {
			return Desc{}, fmt.Errorf("describe array: %w: dimension %d is %d", proto.ErrShape, i, n)
		}
		d.Shape[i] = uint64(n)
	}
	return d.Packed()
}

// Packed returns d with C-order strides in place of its own. The errors are
// those of Contiguous.
func (d Desc) Packed() (Desc, error) {
	if _, err := d.count(); err != nil {
		return Desc{}, err
	}
	clear(d.Shape[d.NDim:])
	clear(d.Strides[d.NDim:])
	stride := int64(d.DType.Size())
	for i := d.NDim - 1; i >= 0; i-- {
		d.Strides[i] = stride
		stride *= int64(max(d.Shape[i], 1))
	}
	return d, nil
}

// count returns the number of elements. Zero extents count as one until the
// end, so that no partial product, and no stride made of one, overflows.
func (d *Desc) count() (uint64, error) {
	if !d.DType.Valid() {
		return 0, fmt.Errorf("describe array: %w: dtype code %d", proto.ErrShape, uint8(d.DType))
	}
	if d.NDim < 0 || d.NDim > proto.MaxDims {
		return 0, fmt.Errorf("describe array: %w: %d dimensions, at most %d", proto.ErrShape, d.NDim, proto.MaxDims)
	}
	most := min(uint64(proto.MaxPayloadBytes), math.MaxInt) >> bits.TrailingZeros(uint(d.DType.Size()))
	n, empty := uint64(1), false
	for i := range d.NDim {
		dim := d.Shape[i]
		if dim == 0 {
			empty, dim = true, 1
		}
		hi, lo := bits.Mul64(n, dim)
		if hi != 0 || lo > most {
			return 0, fmt.Errorf("describe array: %w: %s exceeds %d bytes", proto.ErrShape, d.String(), uint64(proto.MaxPayloadBytes))
		}
		n = lo
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// Validate proves that every element lies in the first payloadBytes bytes of a
// payload. The error wraps proto.ErrShape: invalid dtype or number of
// dimensions, a negative stride, a size beyond proto.MaxPayloadBytes, or
// elements beyond the payload.
func (d Desc) Validate(payloadBytes int) error {
	_, err := d.check(payloadBytes)
	return err
}

// check is Validate; it returns the number of elements.
func (d *Desc) check(payloadBytes int) (int, error) {
	n, err := d.count()
	if err != nil {
		return 0, err
	}
	span, err := d.span(n == 0)
	if err != nil {
		return 0, err
	}
	if payloadBytes < 0 || span > uint64(payloadBytes) {
		return 0, fmt.Errorf("describe array: %w: %s with strides %s spans %d bytes, the payload has %d",
			proto.ErrShape, d.String(), d.strideString(), span, payloadBytes)
	}
	return int(n), nil
}

// span returns the bytes from the first to behind the last reachable one, 0 for
// an empty array. The sum of eight reaches below 2^48 cannot overflow.
func (d *Desc) span(empty bool) (uint64, error) {
	sum := uint64(d.DType.Size())
	for i := range d.NDim {
		stride := d.Strides[i]
		if stride < 0 {
			return 0, fmt.Errorf("describe array: %w: stride %d of axis %d is negative", proto.ErrShape, stride, i)
		}
		if empty {
			continue
		}
		hi, lo := bits.Mul64(d.Shape[i]-1, uint64(stride))
		if hi != 0 || lo > proto.MaxPayloadBytes {
			return 0, fmt.Errorf("describe array: %w: %s with strides %s reaches beyond %d bytes",
				proto.ErrShape, d.String(), d.strideString(), uint64(proto.MaxPayloadBytes))
		}
		sum += lo
	}
	if empty {
		return 0, nil
	}
	return sum, nil
}

// Elems returns the number of elements, -1 when d is no valid description.
func (d Desc) Elems() int {
	n, err := d.count()
	if err != nil {
		return -1
	}
	return int(n)
}

// Bytes returns the size of the packed elements, -1 when d is no valid
// description. It is the payload length of a frame that holds a contiguous d.
func (d Desc) Bytes() int {
	n, err := d.count()
	if err != nil {
		return -1
	}
	return int(n) * d.DType.Size()
}

// IsContiguous reports whether the elements lie in C order without gaps. Axes of
// extent 1 have no say, an empty array is contiguous, an invalid one is not.
func (d Desc) IsContiguous() bool {
	n := d.Elems()
	if n <= 0 {
		return n == 0
	}
	want := int64(d.DType.Size())
	for i := d.NDim - 1; i >= 0; i-- {
		if d.Shape[i] != 1 && d.Strides[i] != want {
			return false
		}
		want *= int64(d.Shape[i])
	}
	return true
}

// String returns type and shape, such as "f32[3,224,224]".
func (d Desc) String() string {
	b := append([]byte(d.DType.String()), '[')
	for i := 0; i < d.NDim && i < proto.MaxDims; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, d.Shape[i], 10)
	}
	return string(append(b, ']'))
}

func (d Desc) strideString() string {
	b := []byte{'('}
	for i := 0; i < d.NDim && i < proto.MaxDims; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, d.Strides[i], 10)
	}
	return string(append(b, ')'))
}
