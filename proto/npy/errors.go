package npy

import "errors"

// Data that ends early is reported with proto.ErrTruncated and a shape no frame
// can hold with proto.ErrShape.
var (
	// ErrMagic is returned when bytes do not start like a .npy file.
	ErrMagic = errors.New("not an npy file")
	// ErrVersion is returned when the format version is not 1.0, 2.0 or 3.0.
	ErrVersion = errors.New("unknown npy version")
	// ErrHeader is returned when the header is too long, is not the dict literal
	// of the format, or has a key missing, twice or unknown.
	ErrHeader = errors.New("invalid npy header")
	// ErrDType is returned when the element type is none of package proto.
	ErrDType = errors.New("unsupported npy dtype")
)
