package proto

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
)

// edges are extents and strides around the bounds where products overflow.
var edges = []uint64{0, 1, 2, 3, 8, 1 << 16, 1<<24 - 1, 1 << 24, 1 << 32, 1<<45 - 1, 1 << 45, 1<<48 - 1, 1 << 48, 1 << 61, 1<<63 - 8, 1<<63 - 1, 1 << 63, 1<<64 - 8, 1<<64 - 1}

// Check sizes of contiguous arrays against unbounded arithmetic, with extents
// around every bound.
func TestContiguousStridesExact(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 3))
	for range 50000 {
		item := uint64(1) << rnd.IntN(5)
		shape := make([]uint64, rnd.IntN(MaxDims+1))
		strides := make([]int64, len(shape))
		want, empty := new(big.Int).SetUint64(item), false
		for i := range shape {
			shape[i] = edges[rnd.IntN(len(edges))]
			if rnd.IntN(2) == 0 {
				shape[i] = rnd.Uint64N(5)
			}
			if shape[i] == 0 {
				empty = true
				continue
			}
			want.Mul(want, new(big.Int).SetUint64(shape[i]))
		}
		fits := want.Cmp(big.NewInt(MaxPayloadBytes)) <= 0
		got, err := ContiguousStrides(item, shape, strides)
		if empty {
			want.SetUint64(0)
		}
		switch {
		case !fits && !errors.Is(err, ErrShape):
			t.Fatalf("seed %d: %d-byte elements, shape %v: %d bytes, %v; want %v", seed, item, shape, got, err, ErrShape)
		case fits && (err != nil || got != want.Uint64()):
			t.Fatalf("seed %d: %d-byte elements, shape %v: %d bytes, %v; want %v", seed, item, shape, got, err, want)
		}
	}
}

// Check the reach of strided arrays against unbounded arithmetic.
func TestStridedBytesExact(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 4))
	for range 50000 {
		item := uint64(1) << rnd.IntN(5)
		shape := make([]uint64, rnd.IntN(MaxDims+1))
		strides := make([]int64, len(shape))
		want, legal, empty := new(big.Int).SetUint64(item), true, false
		for i := range shape {
			shape[i] = edges[rnd.IntN(len(edges))]
			strides[i] = int64(edges[rnd.IntN(len(edges))])
			if rnd.IntN(2) == 0 {
				shape[i], strides[i] = rnd.Uint64N(5), int64(item*rnd.Uint64N(5))
			}
			if strides[i] < 0 || uint64(strides[i])%item != 0 {
				legal = false
			}
			if shape[i] == 0 {
				empty = true
				continue
			}
			last := new(big.Int).SetUint64(shape[i] - 1)
			want.Add(want, last.Mul(last, big.NewInt(strides[i])))
		}
		fits := legal && want.Cmp(big.NewInt(MaxPayloadBytes)) <= 0
		got, err := StridedBytes(item, shape, strides)
		if empty {
			want.SetUint64(0)
		}
		switch {
		case !fits && !errors.Is(err, ErrShape):
			t.Fatalf("seed %d: %d-byte elements, shape %v, strides %v: %d bytes, %v; want %v", seed, item, shape, strides, got, err, ErrShape)
		case fits && (err != nil || got != want.Uint64()):
			t.Fatalf("seed %d: %d-byte elements, shape %v, strides %v: %d bytes, %v; want %v", seed, item, shape, strides, got, err, want)
		}
	}
}

// Check that no frame the capacity admits is larger than MaxFrameBytes says, and
// that the bound is met.
func TestMaxFrameBytes(t *testing.T) {
	largest := Header{DType: U8, NDim: MaxDims, ExtFlags: ExtShape | ExtStrides}
	if got := largest.HeadBytes(); got != HeadMax {
		t.Fatalf("largest header is %d bytes, HeadMax says %d", got, HeadMax)
	}
	for n := uint64(0); n < 1000; n++ {
		inline := Header{DType: U8, NDim: 1, PayloadLen: n}
		largest.PayloadLen = n
		if got := inline.FrameBytes(); got != FrameBytes(n) || got < LineBytes || got%LineBytes != 0 {
			t.Fatalf("inline payload of %d bytes: %d and %d", n, got, FrameBytes(n))
		}
		if got := largest.FrameBytes(); got != MaxFrameBytes(n) || got < inline.FrameBytes() {
			t.Fatalf("payload of %d bytes: %d and %d", n, got, MaxFrameBytes(n))
		}
	}
}
