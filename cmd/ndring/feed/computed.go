package feed

import (
	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// computed feeds the frames of a provenance.Source.
type computed struct {
	source  provenance.Source
	dtype   proto.DType
	scratch []float64 // values before conversion, for other dtypes than f64
}

func newComputed(o Options, kind string) (Feed, error) {
	n, err := count(o.DType, o.Shape)
	if err != nil {
		return nil, err
	}
	c := &computed{dtype: o.DType}
	if o.DType != proto.F64 {
		c.scratch = make([]float64, n)
	}
	c.source = provenance.Source{Kind: kind, DType: o.DType.String(), Shape: o.Shape}
	switch kind {
	case provenance.KindSine:
		c.source.Period = o.Period
	case provenance.KindRandom:
		c.source.Seed = o.Seed
	}
	return c, c.source.Check()
}

func (c *computed) DType() proto.DType        { return c.dtype }
func (c *computed) Shape() []int              { return c.source.Shape }
func (c *computed) Source() provenance.Source { return c.source }

// Drop does nothing.
func (c *computed) Drop() error { return nil }

// Pending is 0: nothing is read.
func (c *computed) Pending() int { return 0 }

func (c *computed) Fill(dst nd.Array, n uint64) error {
	if c.dtype == proto.F64 {
		x, err := nd.Slice[float64](dst)
		if err != nil {
			return err
		}
		c.source.Fill(x, n)
		return nil
	}
	payload, err := dst.Contents()
	if err != nil {
		return err
	}
	c.source.Fill(c.scratch, n)
	provenance.Convert(payload, c.dtype, c.scratch)
	return nil
}
