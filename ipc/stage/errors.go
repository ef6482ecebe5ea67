package stage

import "errors"

var (
	// ErrDType is returned when an input frame is not of float64: kernels compute
	// on nothing else.
	ErrDType = errors.New("not a float64 frame")
	// ErrConfig is returned when a stage lacks a kernel, an output or an input, or
	// has the same ring twice as input.
	ErrConfig = errors.New("invalid stage")
	// ErrEvicted is returned when the writer of an input ring stopped waiting for
	// this stage while a result was computed. The result is not committed.
	ErrEvicted = errors.New("stage was evicted from its input")
)
