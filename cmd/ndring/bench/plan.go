package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Plan is a run: every figure once a round, so that a slow minute of the
// machine meets all of them. Odd rounds go backwards, so that none always
// follows the same neighbour.
type Plan struct {
	Figures []Figure
	Rounds  int

	// Progress, if set, is called before each measurement; rounds count from 0.
	Progress func(round int, figure string)
}

// Skip is a figure left out, and why.
type Skip struct {
	Figure string `json:"figure"`
	Reason string `json:"reason"`
}

// Results are the measurements of a run, in the order of its figures.
type Results struct {
	Measurements []Measurement
	Skipped      []Skip
}

// Run carries the plan out over host. A figure that is skipped in its first
// round is not tried again; any other error ends the run.
func (p Plan) Run(ctx context.Context, host *Host) (Results, error) {
	if p.Rounds < 1 {
		return Results{}, fmt.Errorf("run a plan of %d rounds: at least 1 is needed", p.Rounds)
	}
	var results Results
	figures := slices.Clone(p.Figures)
	for round := range p.Rounds {
		if round%2 == 1 {
			slices.Reverse(figures)
		}
		var left []Figure
		for _, f := range figures {
			skipped, err := p.measure(ctx, host, round, f, &results)
			if err != nil {
				return Results{}, fmt.Errorf("measure %s in round %d: %w", f.Name(), round, err)
			}
			if !skipped {
				left = append(left, f)
			}
		}
		if round%2 == 1 {
			slices.Reverse(left)
		}
		figures = left
	}
	return results, nil
}

// measure carries f out once and adds to results; skipped reports that f
// shall not be tried again.
func (p Plan) measure(ctx context.Context, host *Host, round int, f Figure, results *Results) (skipped bool, err error) {
	if p.Progress != nil {
		p.Progress(round, f.Name())
	}
	before := host.usage()
	samples, err := f.Measure(ctx, host)
	if errors.Is(err, ErrSkipped) {
		results.Skipped = append(results.Skipped, Skip{Figure: f.Name(), Reason: err.Error()})
		return true, nil
	}
	spoilt := disturbed(before, host.usage())
	for _, s := range samples {
		results.add(f.Name(), s, spoilt)
	}
	return false, err
}

// add appends s to its measurement; the first sample of a name makes it.
func (r *Results) add(figure string, s Sample, spoilt bool) {
	i := slices.IndexFunc(r.Measurements, func(m Measurement) bool { return m.Name == s.Name })
	if i < 0 {
		i = len(r.Measurements)
		r.Measurements = append(r.Measurements, Measurement{Figure: figure, Name: s.Name, Unit: s.Unit})
	}
	m := &r.Measurements[i]
	m.Rounds = append(m.Rounds, s.Value)
	m.Disturbed = append(m.Disturbed, spoilt)
}

// Find returns the measurement of that name.
func (r Results) Find(name string) (Measurement, bool) {
	i := slices.IndexFunc(r.Measurements, func(m Measurement) bool { return m.Name == name })
	if i < 0 {
		return Measurement{}, false
	}
	return r.Measurements[i], true
}
