package nd

import "errors"

// An array that does not fit its memory or the limits of the contract is
// refused with an error that wraps proto.ErrShape.
var (
	// ErrDType is returned when the Go type asked for is not the element type of
	// the array.
	ErrDType = errors.New("element type mismatch")
	// ErrIndex is returned when an index, axis or slice bound is out of range.
	ErrIndex = errors.New("index out of range")
	// ErrStrided is returned when an operation needs C-contiguous elements and
	// the array has gaps or another order.
	ErrStrided = errors.New("array is not contiguous")
	// ErrMisaligned is returned when a typed slice is asked of memory that does
	// not start at a multiple of the type's alignment.
	ErrMisaligned = errors.New("memory is misaligned")
	// ErrReadOnly is returned when an element of a read-only array is set.
	ErrReadOnly = errors.New("array is read-only")
	// ErrShort is returned when a destination holds fewer bytes than the array.
	ErrShort = errors.New("destination is too short")
)
