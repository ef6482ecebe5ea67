package npy

import (
	"fmt"
	"io"

	"github.com/ndring/ndring/proto/nd"
)

// pieceBytes bounds the memory in which Write packs strided elements.
const pieceBytes = 1 << 20

// Write writes a as version 1.0 in C order. Contiguous elements are handed to w
// where they lie, strided ones packed in pieces of at most 1 MiB. The error
// wraps that of w, or proto.ErrShape when a is the zero Array. An array over the
// memory of a frame must stay under its lease until Write returns.
func Write(w io.Writer, a nd.Array) error {
	head, err := AppendHeader(nil, a.Desc())
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write npy header: %w", err)
	}
	if a.Len() == 0 {
		return nil
	}
	p := packer{w: w}
	if err := p.write(a); err != nil {
		return fmt.Errorf("write npy data: %w", err)
	}
	return nil
}

// packer writes arrays in C order, one piece of its buffer at a time.
type packer struct {
	w   io.Writer
	buf []byte
}

func (p *packer) write(a nd.Array) error {
	if b, err := a.Contents(); err == nil {
		_, err = p.w.Write(b)
		return err
	}
	if a.Bytes() <= pieceBytes {
		return p.pack(a)
	}
	n := a.Dim(0)
	rows := max(pieceBytes/(a.Bytes()/n), 1)
	for i := 0; i < n; i += rows {
		part, err := a.Slice(0, i, min(i+rows, n), 1)
		if err == nil && part.Dim(0) == 1 {
			part, err = part.Index(0, 0) // a row larger than a piece is split along its own axis
		}
		if err == nil {
			err = p.write(part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) pack(a nd.Array) error {
	if p.buf == nil {
		p.buf = make([]byte, pieceBytes)
	}
	n, err := a.Copy(p.buf)
	if err != nil {
		return err
	}
	_, err = p.w.Write(p.buf[:n])
	return err
}
