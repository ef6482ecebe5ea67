package nd

import (
	"encoding/binary"
	"fmt"

	"github.com/ndring/ndring/proto"
)

// runs walks an array in C order as runs of equally spaced elements. Axes of
// extent 1 are dropped and an axis is merged with the one inside it when the
// two form one even spacing, so a contiguous array is a single run.
type runs struct {
	outer   int // axes outside the run
	shape   [proto.MaxDims]int
	strides [proto.MaxDims]int
	index   [proto.MaxDims]int
	offset  int // of the next run
	left    int // runs to come
	n, step int // elements of each run, bytes between them
}

func (a *Array) runs() runs {
	r := runs{offset: a.offset, n: 1, step: a.dtype.Size()}
	if a.elems == 0 {
		return r
	}
	axes := 0
	for i := range int(a.ndim) {
		n, stride := a.shape[i], a.strides[i]
		switch {
		case n == 1:
		case axes > 0 && r.strides[axes-1] == n*stride:
			r.shape[axes-1] *= n
			r.strides[axes-1] = stride
		default:
			r.shape[axes], r.strides[axes] = n, stride
			axes++
		}
	}
	if axes > 0 {
		r.outer = axes - 1
		r.n, r.step = r.shape[axes-1], r.strides[axes-1]
	}
	r.left = a.elems / r.n
	return r
}

// next returns the offset of the first element of the next run.
func (r *runs) next() (offset int, ok bool) {
	if r.left == 0 {
		return 0, false
	}
	r.left--
	offset = r.offset
	for i := r.outer - 1; i >= 0; i-- {
		r.index[i]++
		r.offset += r.strides[i]
		if r.index[i] < r.shape[i] {
			break
		}
		r.offset -= r.shape[i] * r.strides[i]
		r.index[i] = 0
	}
	return offset, true
}

// Copy packs the elements into dst in C order and returns the bytes written,
// a.Bytes(). The error wraps ErrShort when dst is shorter; then nothing is
// written. dst must not overlap the memory of a.
func (a Array) Copy(dst []byte) (int, error) {
	n := a.Bytes()
	if len(dst) < n {
		return 0, fmt.Errorf("copy %s: %w: %d bytes needed, %d given", a.Desc(), ErrShort, n, len(dst))
	}
	size := a.dtype.Size()
	out, r := dst[:n], a.runs()
	for offset, ok := r.next(); ok; offset, ok = r.next() {
		gather(out[:r.n*size], a.data, offset, r.step, size)
		out = out[r.n*size:]
	}
	return n, nil
}

// gather fills dst with elements of size bytes that stand step bytes apart.
func gather(dst, src []byte, offset, step, size int) {
	if step == size {
		copy(dst, src[offset:offset+len(dst)])
		return
	}
	switch size {
	case 8:
		for ; len(dst) >= 8; dst, offset = dst[8:], offset+step {
			binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(src[offset:]))
		}
	case 4:
		for ; len(dst) >= 4; dst, offset = dst[4:], offset+step {
			binary.NativeEndian.PutUint32(dst, binary.NativeEndian.Uint32(src[offset:]))
		}
	default:
		for ; len(dst) >= size; dst, offset = dst[size:], offset+step {
			copy(dst[:size], src[offset:offset+size])
		}
	}
}

// Clone returns a packed copy on the heap. It owns its memory, can be written,
// and outlives the lease of a.
func (a Array) Clone() Array {
	if !a.dtype.Valid() {
		return Array{}
	}
	c := a
	c.data, c.offset, c.readOnly = alignedBytes(a.Bytes()), 0, false
	stride := a.dtype.Size()
	for i := int(a.ndim) - 1; i >= 0; i-- {
		c.strides[i] = stride
		stride *= max(a.shape[i], 1)
	}
	_, _ = a.Copy(c.data) // as long as a.Bytes(), so never short
	return c
}
