package main

import (
	"encoding/binary"
	"math"

	"github.com/ndring/ndring/proto"
)

// chunk is the bytes of one chunk of the seed protocol.
func chunk(x []float64) []byte {
	p := proto.AppendChunkHead(nil, uint32(proto.SeedItemBytes*len(x)))
	for _, v := range x {
		p = binary.LittleEndian.AppendUint64(p, math.Float64bits(v))
	}
	return p
}

// floats decodes the payload of a result of a good chunk.
func floats(p []byte) (y [values]float64) {
	for i := range y {
		y[i] = math.Float64frombits(binary.LittleEndian.Uint64(p[proto.SeedItemBytes*i:]))
	}
	return y
}
