package command

import (
	"fmt"
	"slices"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/urfave/cli/v2"
)

// stageConfig describes the output ring for inputs that suit the stage. Unless
// --capacity says otherwise it holds two pairs of the largest results.
func stageConfig(c *cli.Context, st provenance.Step, inputs []*proto.Identity) (ipc.WriterConfig, error) {
	var largest uint64
	var sources []provenance.Provenance
	for _, id := range inputs {
		if dt := id.Schema.DType; dt != 0 && dt != proto.F64 {
			return ipc.WriterConfig{}, fmt.Errorf("ring %s holds %v, kernels take f64: convert it before the stage", id.Name, dt)
		}
		largest = max(largest, largestPayload(id))
		p, err := provenance.Parse(id.Meta)
		if err != nil {
			p = provenance.Provenance{Source: provenance.Source{Kind: provenance.KindForeign}}
		}
		sources = append(sources, p)
	}
	pair := 2 * proto.MaxFrameBytes(largest)
	cfg, err := writerConfig(c, 2*pair)
	if err != nil {
		return cfg, err
	}
	if c.IsSet("capacity") && pair > cfg.Capacity/2 {
		return cfg, usagef("PRIMARY and DELTA of an input frame of up to %s need a ring of at least %s, --capacity is %s",
			quantity.Bytes(largest), quantity.Bytes(rounded(2*pair)), c.String("capacity"))
	}
	cfg.Schema = resultSchema(inputs)
	cfg.Meta, err = provenance.Join(sources).Then(st).Encode()
	return cfg, err
}

// largestPayload is the size of the largest frame of a ring, from its schema if
// that says so.
func largestPayload(id *proto.Identity) uint64 {
	s := &id.Schema
	if s.NDim > proto.MaxDims || slices.Contains(s.Shape[:s.NDim], proto.AnyDim) {
		return id.FrameLimit
	}
	shape := make([]int, s.NDim)
	for i := range shape {
		shape[i] = int(s.Shape[i])
	}
	d, err := nd.Contiguous(s.DType, shape...)
	if err != nil {
		return id.FrameLimit
	}
	return min(id.FrameLimit, uint64(d.Bytes()))
}

// resultSchema is what all results have in common.
func resultSchema(inputs []*proto.Identity) proto.Schema {
	common := inputs[0].Schema
	for _, id := range inputs {
		if s := id.Schema; s != common || s.DType != proto.F64 {
			return proto.Schema{DType: proto.F64, NDim: proto.AnyNDim}
		}
	}
	return common
}
