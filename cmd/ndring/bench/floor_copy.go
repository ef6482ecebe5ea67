package bench

import (
	"context"
	"fmt"
)

const (
	roleFillSum = "fill_sum"
	roleCopy    = "copy"

	// Two buffers take turns: one is filled while the other is read.
	bufferCount = 2

	publishedOffset = 0
	releasedOffset  = 128
	buffersOffset   = 4096
)

// SharedFillSum is the ceiling for payload that is really touched: one side
// fills buffers in shared memory, the other sums them, on a CPU each. Its
// sample is shared_fill_sum, in GB of buffer a second.
type SharedFillSum struct {
	BufferBytes int // a multiple of 64
	Passes      int
}

// SharedCopy is the same with a copy from private memory into the buffer and
// one out of it: the ceiling for a transport that copies at both ends. Its
// sample is shared_copy, in GB of payload a second.
type SharedCopy struct {
	BufferBytes int // a multiple of 64
	Passes      int
}

// Name is shared_fill_sum.
func (f SharedFillSum) Name() string { return "shared_fill_sum" }

// Name is shared_copy.
func (f SharedCopy) Name() string { return "shared_copy" }

// Measure implements Figure.
func (f SharedFillSum) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	return measureExchange(ctx, host, f.Name(), roleFillSum, exchangeParams(f))
}

// Measure implements Figure.
func (f SharedCopy) Measure(ctx context.Context, host *Host) ([]Sample, error) {
	return measureExchange(ctx, host, f.Name(), roleCopy, exchangeParams(f))
}

// exchangeParams are what both figures tell their sides.
type exchangeParams struct {
	BufferBytes int
	Passes      int
}

func measureExchange(ctx context.Context, host *Host, name, role string, p exchangeParams) ([]Sample, error) {
	if p.BufferBytes <= 0 || p.BufferBytes%64 != 0 || p.Passes < 1 {
		return nil, fmt.Errorf("exchange %d buffers of %d bytes: at least one of a multiple of 64 is needed", p.Passes, p.BufferBytes)
	}
	seats, err := host.Pair(role, Apart)
	if err != nil {
		return nil, err
	}
	var gigabytesPerSecond float64
	job := Job{Seats: seats, SharedBytes: buffersOffset + bufferCount*p.BufferBytes, Params: p}
	if err := host.Carry(ctx, job, &gigabytesPerSecond); err != nil {
		return nil, err
	}
	return []Sample{{Name: name, Unit: "GB/s", Value: gigabytesPerSecond}}, nil
}

// fillSumSide fills as side 0 and sums as side 1.
func fillSumSide(s *Side) (any, error) {
	return exchange(s,
		func(buffer []float64, pass uint64) { Fill(buffer, float64(pass)) },
		func(buffer []float64, pass uint64) error { return checkSum(Sum(buffer), len(buffer), pass) })
}

// copySide copies from a private buffer as side 0, and into one as side 1.
func copySide(s *Side) (any, error) {
	var p exchangeParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	private := make([]float64, p.BufferBytes/8)
	Fill(private, 1)
	return exchange(s,
		func(buffer []float64, pass uint64) {
			private[0] = float64(pass)
			CopyFloats(buffer, private)
		},
		func(buffer []float64, pass uint64) error {
			CopyFloats(private, buffer)
			if private[0] != float64(pass) {
				return fmt.Errorf("buffer %d holds %v: %w", pass, private[0], ErrMismatch)
			}
			return nil
		})
}

// exchange hands buffers from side 0, which returns the GB/s, to side 1. One
// word counts the buffers published, the other those released; both count
// from 1. A first tenth warms up.
func exchange(s *Side, produce func([]float64, uint64), consume func([]float64, uint64) error) (any, error) {
	var p exchangeParams
	if err := s.Params(&p); err != nil {
		return nil, err
	}
	published, released := word(s.Shared, publishedOffset), word(s.Shared, releasedOffset)
	var buffers [bufferCount][]float64
	for i := range buffers {
		buffers[i] = floats(s.Shared, buffersOffset+i*p.BufferBytes, p.BufferBytes/8)
	}
	warmUp := uint64(warmUpOf(p.Passes))
	last := warmUp + uint64(p.Passes)
	if s.Index == 1 {
		s.Meet()
		for pass := uint64(1); pass <= last; pass++ {
			awaitAtLeast(published, pass)
			if err := consume(buffers[pass%bufferCount], pass); err != nil {
				return nil, err
			}
			storeRelease(released, pass)
		}
		return nil, nil
	}
	publish := func(first, last uint64) {
		for pass := first; pass <= last; pass++ {
			awaitAtLeast(released, pass-min(pass, bufferCount))
			produce(buffers[pass%bufferCount], pass)
			storeRelease(published, pass)
		}
		awaitAtLeast(released, last)
	}
	clock := newTickClock()
	s.Meet()
	publish(1, warmUp)
	began := clock.now()
	publish(warmUp+1, last)
	return float64(p.Passes) * float64(p.BufferBytes) / clock.ns(clock.now()-began), nil
}

// checkSum compares with the sum of n values equal to pass, which float64
// holds exactly.
func checkSum(sum float64, n int, pass uint64) error {
	if want := float64(n) * float64(pass); sum != want {
		return fmt.Errorf("sum of buffer %d is %v, not %v: %w", pass, sum, want, ErrMismatch)
	}
	return nil
}
