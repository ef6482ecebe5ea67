package bench

import "context"

// Sample is one value of one quantity, from one round.
type Sample struct {
	Name  string
	Unit  string
	Value float64
}

// Figure is something to measure. The floors of this package are figures, and
// so is whatever is set against them in the same run.
type Figure interface {
	// Name identifies the figure in progress and error messages.
	Name() string

	// Measure carries the figure out once, in processes of its own, and
	// returns a sample for each of its quantities, the same ones each time.
	// It returns an error wrapping ErrSkipped when this machine cannot, and
	// ends its processes when ctx ends. It is called again for each round,
	// never by two goroutines at once.
	Measure(ctx context.Context, host *Host) ([]Sample, error)
}
