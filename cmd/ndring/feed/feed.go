package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

var (
	// ErrPartial is returned when input ends inside a frame.
	ErrPartial = errors.New("input ends inside a frame")
	// ErrSource is returned when a spec names no source.
	ErrSource = errors.New("unknown source")
)

// Feed is a sequence of arrays of one dtype and shape.
type Feed interface {
	// DType and Shape describe every frame.
	DType() proto.DType
	Shape() []int
	// Source describes the feed for the ring's metadata.
	Source() provenance.Source
	// Fill writes the next frame to dst, a writable C-order array of that dtype and
	// shape. n is its number in the ring, from which computed sources compute it.
	// After the last frame it returns io.EOF, and the error of Open's context when that
	// ended while input was waited for.
	Fill(dst nd.Array, n uint64) error
	// Drop passes over a frame that the ring had no room for. Computed sources have
	// nothing to pass over: their values follow the numbers in the ring. After the
	// last frame it returns io.EOF.
	Drop() error
	// Pending is how many bytes of input were read and are in no frame: what a feed
	// that ends early loses. It is 0 where nothing is lost.
	Pending() int
}

// Options say what to feed. Period and Seed are those of provenance.Source.
type Options struct {
	Spec   string // linspace, sine, random, npy:FILE or stdin
	DType  proto.DType
	Shape  []int
	Period int
	Seed   uint64
	Stdin  io.Reader
}

// Open returns the feed that o names. The end of ctx ends what waits for a file or
// for stdin, also later in the feed. Errors name the spec and what is known.
func Open(ctx context.Context, o Options) (Feed, error) {
	kind, file, _ := strings.Cut(o.Spec, ":")
	switch kind {
	case provenance.KindLinspace, provenance.KindSine, provenance.KindRandom:
		return newComputed(o, kind)
	case provenance.KindNPY:
		return openNPY(ctx, file)
	case provenance.KindStdin:
		return newRaw(ctx, o)
	}
	return nil, fmt.Errorf("source %q; use linspace, sine, random, npy:FILE or stdin: %w", o.Spec, ErrSource)
}

// count is the number of elements of shape, checked for overflow.
func count(dt proto.DType, shape []int) (int, error) {
	h := proto.Header{DType: dt, NDim: uint8(len(shape))}
	if len(shape) > proto.MaxDims {
		return 0, fmt.Errorf("%d dimensions, at most %d: %w", len(shape), proto.MaxDims, proto.ErrShape)
	}
	for i, n := range shape {
		if n < 0 {
			return 0, fmt.Errorf("dimension %d is %d: %w", i, n, proto.ErrShape)
		}
		h.Shape[i] = uint64(n)
	}
	if err := h.Complete(); err != nil {
		return 0, err
	}
	return int(h.PayloadLen) / dt.Size(), nil
}
