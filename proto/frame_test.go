package proto

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// Check that a header that Complete accepts decodes after encoding, whatever the
// caller filled in, and to the same header: a writer can never commit a frame that
// its readers, or its successor, refuse.
func TestCompleteIsDecodable(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 5))
	accepted := 0
	for range 50000 {
		h := Header{
			Kind: KindData, Number: rnd.Uint64(), DType: DType(rnd.IntN(17)), NDim: uint8(rnd.IntN(MaxDims + 2)),
			Flags: uint8(rnd.IntN(6)), ExtFlags: uint8(rnd.IntN(2 * (extKnown + 1))), Role: Role(rnd.IntN(2)),
			PayloadLen: rnd.Uint64(), Stream: rnd.Uint64(),
		}
		for i := range MaxDims {
			h.Shape[i] = rnd.Uint64N(4)
			h.Strides[i] = int64(rnd.IntN(12)-1) * int64(max(1, h.DType.Size()))
		}
		if err := h.Complete(); err != nil {
			if !errors.Is(err, ErrShape) && !errors.Is(err, ErrHeader) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			continue
		}
		accepted++
		src := make([]byte, h.FrameBytes())
		h.Encode(src)
		le.PutUint64(src[FrCommit:], uint64(KindData))
		var got Header
		if err := DecodeHeader(&got, src, 0, h.PayloadLen); err != nil {
			t.Fatalf("seed %d: %+v: %v", seed, h, err)
		}
		if got.PayloadLen != h.PayloadLen || dims(got.Shape[:got.NDim]) != dims(h.Shape[:h.NDim]) || dims(got.Strides[:got.NDim]) != dims(h.Strides[:h.NDim]) {
			t.Fatalf("seed %d: completed %+v, read %+v", seed, h, got)
		}
	}
	if accepted < 1000 {
		t.Errorf("seed %d: only %d headers were accepted", seed, accepted)
	}
}

// Check what Complete derives and what it refuses.
func TestComplete(t *testing.T) {
	two := [MaxDims]uint64{2, 3}
	for _, c := range []struct {
		name    string
		h       Header
		payload uint64
		ext     uint8
		err     error
	}{
		{"one dimension stays inline", Header{DType: F64, NDim: 1, Shape: [MaxDims]uint64{5}}, 40, 0, nil},
		{"scalar", Header{DType: C128}, 16, 0, nil},
		{"two dimensions store their shape", Header{DType: F32, NDim: 2, Shape: two}, 24, ExtShape, nil},
		{"strides store both", Header{DType: F64, NDim: 1, ExtFlags: ExtStrides, Shape: two, Strides: [MaxDims]int64{80}}, 88, ExtShape | ExtStrides, nil},
		{"a stated payload is replaced", Header{DType: U8, NDim: 1, Shape: two, PayloadLen: 99}, 2, 0, nil},
		{"dtype 0", Header{NDim: 1}, 0, 0, ErrShape},
		{"dtype 15", Header{DType: 15, NDim: 1}, 0, 0, ErrShape},
		{"9 dimensions", Header{DType: F64, NDim: 9}, 0, 0, ErrShape},
		{"overflow", Header{DType: F64, NDim: 2, Shape: [MaxDims]uint64{1 << 40, 1 << 40}}, 0, 0, ErrShape},
		{"negative stride", Header{DType: F64, NDim: 1, ExtFlags: ExtStrides, Shape: two, Strides: [MaxDims]int64{-8}}, 0, 0, ErrShape},
		{"unknown flag", Header{DType: F64, NDim: 1, Flags: 4}, 0, 0, ErrHeader},
		{"flag beyond the four bits", Header{DType: F64, NDim: 1, Flags: 16}, 0, 0, ErrHeader},
		{"unknown extension flag", Header{DType: F64, NDim: 1, ExtFlags: 32}, 0, 0, ErrHeader},
	} {
		err := c.h.Complete()
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if err == nil && (c.h.PayloadLen != c.payload || c.h.ExtFlags != c.ext) {
			t.Errorf("%s: payload of %d bytes, extension flags %#x; want %d, %#x", c.name, c.h.PayloadLen, c.h.ExtFlags, c.payload, c.ext)
		}
	}
}
