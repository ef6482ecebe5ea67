package provenance

import (
	"encoding/binary"
	"math"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// Convert stores x as little-endian elements of dt at the start of dst, which must
// hold them. Integers take the value truncated toward zero, modulo their range;
// bool is whether it is not zero; complex numbers get a zero imaginary part.
func Convert(dst []byte, dt proto.DType, x []float64) {
	size := dt.Size()
	for i, v := range x {
		put(dst[i*size:], dt, v)
	}
}

func put(dst []byte, dt proto.DType, v float64) {
	le := binary.LittleEndian
	switch dt {
	case proto.F64:
		le.PutUint64(dst, math.Float64bits(v))
	case proto.F32:
		le.PutUint32(dst, math.Float32bits(float32(v)))
	case proto.F16:
		le.PutUint16(dst, uint16(nd.FromFloat64(v)))
	case proto.I8, proto.U8:
		dst[0] = byte(int64(v))
	case proto.I16, proto.U16:
		le.PutUint16(dst, uint16(int64(v)))
	case proto.I32, proto.U32:
		le.PutUint32(dst, uint32(int64(v)))
	case proto.I64, proto.U64:
		le.PutUint64(dst, uint64(int64(v)))
	case proto.Bool:
		dst[0] = 0
		if v != 0 {
			dst[0] = 1
		}
	case proto.C64:
		le.PutUint32(dst, math.Float32bits(float32(v)))
		le.PutUint32(dst[4:], 0)
	case proto.C128:
		le.PutUint64(dst, math.Float64bits(v))
		le.PutUint64(dst[8:], 0)
	}
}
