package bridge_test

import (
	"encoding/binary"
	"math"
)

func floatBytes(x []float64) []byte {
	var p []byte
	for _, v := range x {
		p = binary.LittleEndian.AppendUint64(p, math.Float64bits(v))
	}
	return p
}

func floats(p []byte) []float64 {
	x := make([]float64, len(p)/8)
	for i := range x {
		x[i] = math.Float64frombits(binary.LittleEndian.Uint64(p[8*i:]))
	}
	return x
}
