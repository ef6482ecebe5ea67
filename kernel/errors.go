package kernel

import "errors"

var (
	// ErrUnknownKernel is returned when no kernel of the given name exists.
	ErrUnknownKernel = errors.New("unknown kernel")

	// ErrModel is returned when model data is empty, of unequal lengths, not
	// finite, not increasing in fx, or too large for the kernel that uses it.
	ErrModel = errors.New("bad model")

	// ErrParams is returned when a kernel parameter is not finite.
	ErrParams = errors.New("bad kernel parameter")
)
