package main

import (
	"fmt"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// fill stores one value to every element of frame; the number takes the place
// of the first afterwards.
func fill(frame []byte, n uint64) error {
	elements, err := float64s(frame)
	if err != nil {
		return err
	}
	bench.Fill(elements, valueOf(n))
	return nil
}

// checkSum adds up all elements but the number and compares. All sums up to
// 2^53 are exact.
func checkSum(frame []byte, n uint64) error {
	elements, err := float64s(frame)
	if err != nil {
		return err
	}
	elements = elements[numberBytes/8:]
	want := valueOf(n) * float64(len(elements))
	if got := bench.Sum(elements); got != want {
		return fmt.Errorf("frame %d sums to %v, not %v: %w", n, got, want, bench.ErrMismatch)
	}
	return nil
}

// valueOf changes from frame to frame, so that an old one is told apart.
func valueOf(n uint64) float64 { return float64(n&^lastFlag%1000 + 1) }
