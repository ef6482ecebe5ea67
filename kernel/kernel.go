package kernel

// Kernel computes y from x element by element. All methods are safe for
// concurrent use on distinct slices: a kernel keeps no state between calls.
type Kernel interface {
	// Name returns the name under which [New] finds the kernel.
	Name() string

	// Apply stores f(x[i]) in y[i] for every i < len(x). y must be at least as
	// long as x, or Apply panics. x and y may be the same slice; otherwise they
	// must not overlap. Apply keeps no reference to either.
	Apply(y, x []float64)

	// ApplyDelta stores y[i] = f(x[i]), d[i] = y[i] - last[i] and
	// last[i] = y[i], in that order, in one pass for every i < len(x). y, d and
	// last must be at least as long as x, or ApplyDelta panics. x and y may be
	// the same slice; no other two may overlap. y and d are only written. d is
	// the float64 difference, rounded once: equal infinities give NaN.
	ApplyDelta(y, d, last, x []float64)
}
