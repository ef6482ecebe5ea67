//go:build linux

package role

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// leastItems is the smallest payload: number, author and checksum.
const leastItems = 3

// castagnoli is the polynomial that processors compute.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// fill writes the payload of a frame.
func fill(b []byte, number, author uint64, table *crc32.Table) {
	put := func(i int, v uint64) { binary.LittleEndian.PutUint64(b[8*i:], math.Float64bits(float64(v))) }
	last := len(b)/8 - 1
	put(0, number)
	put(1, author)
	for i := 2; i < last; i++ {
		put(i, filling(number, i))
	}
	put(last, uint64(crc32.Checksum(b[:8*last], table)))
}

func filling(number uint64, i int) uint64 { return (number*2654435761 + uint64(i)*40503) & 0xffffffff }

// parse reads a payload. whole says that the checksum is right; number and author are
// worth something only then.
func parse(b []byte, table *crc32.Table) (number, author uint64, whole bool) {
	if len(b) < 8*leastItems || len(b)%8 != 0 {
		return 0, 0, false
	}
	at := func(i int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])) }
	last := len(b)/8 - 1
	whole = at(last) == float64(crc32.Checksum(b[:8*last], table))
	return uint64(at(0)), uint64(at(1)), whole
}

// differs is the first item at which d is not a minus b, all of one length, or -1.
func differs(d, a, b []byte) int {
	at := func(b []byte, i int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])) }
	for i := range len(d) / 8 {
		if at(d, i) != at(a, i)-at(b, i) {
			return i
		}
	}
	return -1
}
