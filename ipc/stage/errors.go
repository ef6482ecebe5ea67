package stage

import "errors"

var (
	// ErrDType is returned when an input frame is not of float64: kernels compute
	// on nothing else.
	ErrDType = errors.New("not a float64 frame")
	// ErrConfig is returned when a stage lacks a kernel, an output or an input,
	// has the same ring twice as input, or has a journal and was not resumed.
	ErrConfig = errors.New("invalid stage")
	// ErrOther is returned when the output ring was written by another stage: another
	// kernel, or one made with other parameters.
	ErrOther = errors.New("output ring of another stage")
	// ErrJournal is returned when the journal could not be written; it comes with why. What
	// was committed to the output ring stays right, and so does what the journal held before:
	// a stage that is started again goes on, so the ring is to be left, not ended.
	ErrJournal = errors.New("journal not written")
	// ErrEvicted is returned when the writer of an input ring stopped waiting for
	// this stage while a result was computed. The result is not committed.
	ErrEvicted = errors.New("stage was evicted from its input")
)
