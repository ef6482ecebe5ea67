package feed

import (
	"context"
	"fmt"
	"io"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// arrays feeds a .npy file: an array of two or more dimensions one frame for each
// index of the first, any other as one frame.
type arrays struct {
	file   string
	all    nd.Array
	frames uint64
	next   uint64
	first  nd.Array
}

func openNPY(ctx context.Context, file string) (Feed, error) {
	if file == "" {
		return nil, fmt.Errorf("source npy: name a file, as in npy:frames.npy: %w", ErrSource)
	}
	a, err := ReadNPY(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	s := &arrays{file: file, all: a, frames: 1, first: a}
	if a.NDim() < 2 {
		return s, nil
	}
	s.frames = uint64(a.Dim(0))
	if s.frames == 0 {
		return nil, fmt.Errorf("source npy:%s: shape %v holds no frames: %w", file, a.Shape(), proto.ErrShape)
	}
	s.first, err = a.Index(0, 0)
	return s, err
}

func (s *arrays) DType() proto.DType { return s.all.DType() }
func (s *arrays) Shape() []int       { return s.first.Shape() }

func (s *arrays) Source() provenance.Source {
	return provenance.Source{Kind: provenance.KindNPY, DType: s.DType().String(), Shape: s.Shape()}
}

func (s *arrays) Fill(dst nd.Array, _ uint64) error {
	if s.next >= s.frames {
		return io.EOF
	}
	payload, err := dst.Contents()
	if err != nil {
		return err
	}
	frame := s.all
	if s.all.NDim() >= 2 {
		if frame, err = s.all.Index(0, int(s.next)); err != nil {
			return err
		}
	}
	s.next++
	_, err = frame.Copy(payload)
	return err
}

// Drop passes over one frame.
func (s *arrays) Drop() error {
	if s.next >= s.frames {
		return io.EOF
	}
	s.next++
	return nil
}

// Pending is 0: the file keeps what was not fed.
func (s *arrays) Pending() int { return 0 }
