package stage_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

// result is a frame of an output ring, copied out.
type result struct {
	head proto.Header
	more bool
	y    []float64
}

// drain reads r to its end.
func drain(t testing.TB, r ringtest.Reader) []result {
	t.Helper()
	var out []result
	for {
		f, err := r.Next(context.Background())
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, copied(f))
	}
}

func copied(f *ring.Frame) result {
	return result{f.Header(), f.More(), slices.Clone(f.Float64s())}
}
