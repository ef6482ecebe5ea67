package proto

import (
	"errors"
	"fmt"
)

var (
	// ErrMagic is returned when bytes do not start with the magic number of the
	// structure asked for: they are something else.
	ErrMagic = errors.New("not an ndring structure")
	// ErrEndian is returned when a structure was written on a machine of the
	// other byte order.
	ErrEndian = errors.New("written in another byte order")
	// ErrVersion is returned when the major version differs from VersionMajor.
	ErrVersion = errors.New("incompatible version")
	// ErrFeature is returned when a required feature bit is not known here.
	ErrFeature = errors.New("unknown required feature")
	// ErrNotReady is returned when a segment was never completed by its creator.
	ErrNotReady = errors.New("segment is not complete")
	// ErrChecksum is returned when a stored CRC does not match the bytes.
	ErrChecksum = errors.New("checksum mismatch")
	// ErrTruncated is returned when fewer bytes are present than the structure needs.
	ErrTruncated = errors.New("truncated")
	// ErrGeometry is returned when sizes, offsets or counts contradict each other
	// or the bounds of layout.go.
	ErrGeometry = errors.New("invalid geometry")
	// ErrHeader is returned when a frame header is malformed.
	ErrHeader = errors.New("invalid frame header")
	// ErrMessage is returned when a socket message is malformed.
	ErrMessage = errors.New("invalid message")
	// ErrChunk is returned when a TCP chunk breaks a rule of the seed protocol.
	ErrChunk = errors.New("invalid chunk")
	// ErrName is returned when a ring or reader name is not usable.
	ErrName = errors.New("invalid name")
	// ErrShape is returned when dimensions, strides and dtype do not describe an
	// array inside its payload.
	ErrShape = errors.New("invalid shape")
	// ErrDType is returned for an element type that is none of the contract's, or not
	// the ring's. It is an ErrShape, too.
	ErrDType = fmt.Errorf("%w: element type", ErrShape)
)
