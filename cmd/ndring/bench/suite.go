package bench

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/ndring/ndring/ipc"
)

// slots16384 is a ring of as many lines as the bare ring has slots.
const slots16384 = slotBytes * slotCount

// Suite is everything ndring bench measures, limits and figures, and the ratios
// between them.
type Suite struct {
	// Quick makes everything smaller: for a look, not for a table.
	Quick bool

	Rounds int // at least 1

	// Only leaves out figures whose names do not match, unless one that does is divided
	// by them; nil keeps all.
	Only *regexp.Regexp

	// Progress, if set, is called before each measurement; rounds count from 0.
	Progress func(round int, figure string)
}

// Run measures everything over host and returns the report.
func (s Suite) Run(ctx context.Context, host *Host) (Report, error) {
	figures := s.chosen(s.Figures())
	if len(figures) == 0 {
		return Report{}, ErrNoFigure
	}
	host.sweep()
	plan := Plan{Figures: figures, Rounds: s.Rounds, Progress: s.Progress}
	machine := host.Machine()
	machine.Load[0] = loadAverage()
	results, err := plan.Run(ctx, host)
	if err != nil {
		return Report{}, err
	}
	machine.Load[1] = loadAverage()
	report := Report{Machine: machine, Ratios: results.Ratios(), Skipped: results.Skipped}
	for _, m := range results.Measurements {
		if slices.ContainsFunc(figures, func(f Figure) bool { return f.Name() == m.Figure && isLimit(f) }) {
			report.Limits = append(report.Limits, m)
		} else {
			report.Figures = append(report.Figures, m)
		}
	}
	return report, nil
}

// chosen are the figures that Only matches, and what their ratios are divided by.
func (s Suite) chosen(all []Figure) []Figure {
	if s.Only == nil {
		return all
	}
	var divisors []string
	for _, q := range ratios() {
		if slices.ContainsFunc(all, func(f Figure) bool { return s.Only.MatchString(f.Name()) && yields(f, q.numerator) }) {
			divisors = append(divisors, q.denominator)
		}
	}
	return slices.DeleteFunc(all, func(f Figure) bool {
		divides := slices.ContainsFunc(divisors, func(sample string) bool { return yields(f, sample) })
		return !s.Only.MatchString(f.Name()) && !divides
	})
}

// Names are the names of all figures, which Only is matched against.
func (s Suite) Names() []string {
	var names []string
	for _, f := range s.Figures() {
		names = append(names, f.Name())
	}
	return names
}

// yields reports whether the sample of that name may be one of f's.
func yields(f Figure, sample string) bool {
	return sample == f.Name() || strings.HasPrefix(sample, f.Name()+"_")
}

// Figures are everything to measure. What is divided by each other stands next to
// each other: the host may move the CPUs of a virtual machine closer together or
// further apart between two figures, and then a line takes 50 ns instead of 250.
func (s Suite) Figures() []Figure {
	return slices.Concat(s.roundTrips(), s.rates(), s.capacities(), s.machinery())
}

func (s Suite) roundTrips() []Figure {
	return []Figure{
		LineRoundTrip{RoundTrips: s.of(200_000)},
		RingRoundTrip{RoundTrips: s.of(200_000), PayloadBytes: 40},
		RingRoundTrip{RoundTrips: s.of(200_000), PayloadBytes: 40, Late: true},
		SlotRoundTrip{RoundTrips: s.of(200_000)},
		RingRoundTrip{RoundTrips: s.of(100_000), PayloadBytes: 1 << 10},
		SocketRoundTrip{RoundTrips: s.of(10_000), Placement: Together},
		RingRoundTrip{RoundTrips: s.of(10_000), PayloadBytes: 40, Parked: true, Placement: Together},
		SocketRoundTrip{RoundTrips: s.of(5_000), Placement: Apart},
		RingRoundTrip{RoundTrips: s.of(5_000), PayloadBytes: 40, Parked: true, Placement: Apart},
		FlatSize{RoundTrips: s.of(40_000), SmallBytes: 64, LargeBytes: 64 << 20},
	}
}

func (s Suite) rates() []Figure {
	return []Figure{
		RingRate{Frames: s.of(8_000_000), PayloadBytes: 40, Touch: true, Capacity: slots16384},
		SlotRing{Frames: s.of(8_000_000)},
		RingRate{Frames: s.of(8_000_000), PayloadBytes: 40, Touch: true, Capacity: slots16384, Batch: batchFrames},
		SharedCopy{BufferBytes: 1 << 20, Passes: s.of(400)},
		SharedFillSum{BufferBytes: 1 << 20, Passes: s.of(400)},
		RingRate{Frames: s.of(400), PayloadBytes: 1 << 20, Touch: true, Capacity: 4 << 20},
		RingRate{Frames: s.of(10_000), PayloadBytes: 64 << 10, Touch: true, Capacity: 1 << 20},
		RingRate{Frames: s.of(500_000), PayloadBytes: 1 << 10, Touch: true, Capacity: 1 << 20},
		RingRate{Frames: s.of(4_000_000), PayloadBytes: 40, Capacity: slots16384},
		RingRate{Frames: s.of(2_000_000), PayloadBytes: 1 << 10, Capacity: 16 << 20},
		RingRate{Frames: s.of(1_000_000), PayloadBytes: 64 << 10, Capacity: 64 << 20},
		RingRate{Frames: s.of(500_000), PayloadBytes: 1 << 20, Capacity: 64 << 20},
	}
}

// capacities are rings of many sizes under the same small frames. In a ring that is
// larger than the caches, each line and each page was last used long ago.
func (s Suite) capacities() []Figure {
	sizes := []int{64 << 10, 1 << 20, 16 << 20, 256 << 20, 4 << 30}
	if s.Quick {
		sizes = sizes[:3]
	}
	var all []Figure
	for _, size := range sizes {
		all = append(all, RingRate{
			Frames: s.of(3_000_000), PayloadBytes: 40, Touch: true, Capacity: uint64(size),
			Label: "capacity_" + sizeName(size),
		})
	}
	if s.Quick {
		return all
	}
	for _, m := range []struct {
		name string
		how  ipc.Memory
	}{{"huge", ipc.Memory{Huge: true}}, {"locked", ipc.Memory{Locked: true}}} {
		all = append(all, RingRate{
			Frames: s.of(3_000_000), PayloadBytes: 40, Touch: true, Capacity: 256 << 20, Memory: m.how,
			Label: "capacity_256MiB_" + m.name, Optional: true,
		})
	}
	return all
}

func (s Suite) machinery() []Figure {
	return []Figure{
		FanOut{Readers: 1, Frames: s.of(300_000), PeriodNs: 1000},
		FanOut{Readers: 16, Frames: s.of(300_000), PeriodNs: 1000},
		FanOut{Readers: 2, Frames: s.of(300_000), PeriodNs: 1000},
		FanOut{Readers: 4, Frames: s.of(300_000), PeriodNs: 1000},
		FanOut{Readers: 8, Frames: s.of(300_000), PeriodNs: 1000},
		Kernels{Elements: s.of(4_000_000)},
		StageRate{Frames: s.of(300_000), PayloadBytes: 40},
		StageRate{Frames: s.of(1_000), PayloadBytes: 128 << 10},
		TCPEcho{RoundTrips: s.of(10_000)},
		Bridge{Chunks: s.of(300_000), RoundTrips: s.of(10_000)},
		Bridge{Chunks: s.of(300_000), RoundTrips: s.of(10_000), Stage: true},
	}
}

// isLimit tells the floors from what is set against them.
func isLimit(f Figure) bool {
	switch f.(type) {
	case LineRoundTrip, SlotRoundTrip, SocketRoundTrip, SlotRing, SharedFillSum, SharedCopy, TCPEcho:
		return true
	}
	return false
}

// Roles are the parts of all their processes.
func Roles() map[string]Role {
	return map[string]Role{
		roleLine:      lineSide,
		roleSocket:    socketSide,
		roleSlots:     slotSide,
		roleSlotTrip:  slotTripSide,
		roleFillSum:   fillSumSide,
		roleCopy:      copySide,
		roleRoundTrip: roundTripSide,
		roleRate:      rateSide,
		roleFlat:      flatSide,
		roleFanOut:    fanOutSide,
		roleKernel:    kernelSide,
		roleStage:     stageSide,
		roleClient:    clientSide,
		roleBridge:    bridgeSide,
		roleRelay:     relaySide,
		roleCaller:    callerSide,
		roleEcho:      echoSide,
	}
}

// of is n, or a tenth of it for a quick run.
func (s Suite) of(n int) int {
	if s.Quick {
		return n/10 + 1
	}
	return n
}
