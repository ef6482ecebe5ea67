package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// A workload is one piece of work that every peer does.
type workload struct {
	name       string
	kind       kind
	frameBytes int
}

const smallRate = "rate_64B"

func workloads() []workload {
	return []workload{
		{"rtt_64B", roundTrip, 64},
		{smallRate, oneWay, 64},
		{"untouched_1MiB", oneWay, 1 << 20},
		{"fill_sum_1MiB", fillSum, 1 << 20},
	}
}

// A quantity is what a workload yields, a column of the report.
type quantity struct {
	name    string
	title   string
	isTime  bool // nanoseconds, less is better; else a number a second
	meaning string
}

func quantities() []quantity {
	return []quantity{
		{"rtt_64B_p50", "64 B to and fro, p50", true, "median round trip of a frame of 64 bytes"},
		{"rtt_64B_p99", "64 B to and fro, p99", true, "99th percentile of the same round trips"},
		{smallRate, "64 B one way, frames/s", false, "frames of 64 bytes one way"},
		{"untouched_1MiB", "1 MiB untouched, frames/s", false, "frames of 1 MiB one way of which nothing but the number is written and read"},
		{"fill_sum_1MiB", "1 MiB filled and summed, frames/s", false, "frames of 1 MiB one way, every float64 written by the sender and added up by the receiver"},
	}
}

// comparison is one workload through one peer, as a figure of a run.
type comparison struct {
	peer     peer
	workload workload
	time     time.Duration
	failures *[]failure
}

// failure is a comparison that could not be finished.
type failure struct {
	name string
	err  error
}

var _ bench.Figure = comparison{}

// Name is PEER.WORKLOAD.
func (c comparison) Name() string { return c.peer.name + "." + c.workload.name }

// Measure implements bench.Figure. A peer that fails is noted and left out of
// the rest of the run; the others go on.
func (c comparison) Measure(ctx context.Context, host *bench.Host) ([]bench.Sample, error) {
	samples, err := c.carry(ctx, host)
	if err == nil || ctx.Err() != nil {
		return samples, err
	}
	*c.failures = append(*c.failures, failure{c.Name(), err})
	return nil, fmt.Errorf("%w: failed: %w", bench.ErrSkipped, err)
}

// carry runs the processes in a folder of their own, which takes along what
// they leave. A peer that loses a frame would wait for ever: the time is
// bounded.
func (c comparison) carry(ctx context.Context, host *bench.Host) ([]bench.Sample, error) {
	const startTime = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, startTime+10*c.time)
	defer cancel()
	dir, err := os.MkdirTemp(host.Dir, "peerbench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for sockets: %w", err)
	}
	defer os.RemoveAll(dir)
	seats := []bench.Seat{{Role: roleSide, CPU: bench.Unpinned}, {Role: roleSide, CPU: bench.Unpinned}}
	if c.peer.server != "" {
		seats = append(seats, bench.Seat{Role: c.peer.server, CPU: bench.Unpinned})
	}
	t := task{
		Peer: c.peer.name, Kind: c.workload.kind, FrameBytes: c.workload.frameBytes,
		Time: c.time, Dir: dir, CPUs: places(host.CPUs, len(seats)),
	}
	var r reply
	if err := host.Carry(ctx, bench.Job{Seats: seats, Sockets: true, Params: t}, &r); err != nil {
		return nil, err
	}
	return c.samples(r), nil
}

// samples names what side 0 measured.
func (c comparison) samples(r reply) []bench.Sample {
	if c.workload.kind == roundTrip {
		return []bench.Sample{
			{Name: c.Name() + "_p50", Unit: "ns", Value: r.Quantiles.P50},
			{Name: c.Name() + "_p99", Unit: "ns", Value: r.Quantiles.P99},
		}
	}
	return []bench.Sample{{Name: c.Name(), Unit: "frames/s", Value: r.PerSecond}}
}

// places gives each of n processes a CPU of its own as far as they reach; who
// comes later goes where the kernel puts it. With fewer than two CPUs nobody
// is pinned.
func places(cpus []int, n int) []int {
	if len(cpus) < 2 {
		cpus = nil
	}
	p := make([]int, n)
	for i := range p {
		p[i] = bench.Unpinned
		if i < len(cpus) {
			p[i] = cpus[i]
		}
	}
	return p
}

// comparisons are those of the named peers, or of all, without the ones that
// this build cannot measure.
func comparisons(chosen []peer, length time.Duration, failures *[]failure) (figures []bench.Figure, missing []bench.Skip) {
	for _, p := range chosen {
		if p.missing != "" {
			missing = append(missing, bench.Skip{Figure: p.name, Reason: p.missing})
			continue
		}
		for _, w := range workloads() {
			if p.only == "" || p.only == w.name {
				figures = append(figures, comparison{p, w, length, failures})
			}
		}
	}
	return figures, missing
}
