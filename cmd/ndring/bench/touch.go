package bench

import "sync/atomic"

// Fill sets every element to value. With Sum it is how every figure touches
// its payload, so that floors and ring do the same work.
func Fill(dst []float64, value float64) {
	for len(dst) >= 8 {
		d := (*[8]float64)(dst)
		d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = value, value, value, value, value, value, value, value
		dst = dst[8:]
	}
	for i := range dst {
		dst[i] = value
	}
}

// Sum adds up all elements, in eight chains: one alone would wait for the
// latency of each addition and hide the memory.
func Sum(src []float64) float64 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float64
	for len(src) >= 8 {
		v := (*[8]float64)(src)
		s0 += v[0]
		s1 += v[1]
		s2 += v[2]
		s3 += v[3]
		s4 += v[4]
		s5 += v[5]
		s6 += v[6]
		s7 += v[7]
		src = src[8:]
	}
	sum := ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
	for _, v := range src {
		sum += v
	}
	return sum
}

// CopyFloats copies src to dst, of equal length, in pieces of 64 KiB: from 1
// MiB on a single copy uses stores that bypass the caches, and the other core
// then reads from memory what it could have had from here.
func CopyFloats(dst, src []float64) {
	const piece = 64 << 10 / 8
	for len(src) > piece {
		copy(dst[:piece], src[:piece])
		dst, src = dst[piece:], src[piece:]
	}
	copy(dst, src)
}

// awaitAtLeast spins until p holds want or more; a look takes the line, so
// PAUSEs lie between two of them.
func awaitAtLeast(p *uint64, want uint64) {
	const pauses = 8
	for atomic.LoadUint64(p) < want {
		pause(pauses)
	}
}
