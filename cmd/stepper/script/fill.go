package script

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ndring/ndring/proto"
)

// claimFrame claims f the way a program would: by type and shape if that says all.
func (p *Player) claimFrame(f *Frame) (err error) {
	h := f.Head
	if !h.Extended() && h.Kind == proto.KindData {
		p.claim, err = p.w.Claim(p.ctx, h.DType, int(h.Shape[0]))
		return err
	}
	p.claim, err = p.w.ClaimFrame(p.ctx, &h)
	return err
}

// fill writes the payload of f: float64 one by one, bytes by a copy.
func (p *Player) fill(space []byte, f *Frame) error {
	if len(space) != len(f.Payload) {
		return fmt.Errorf("claimed %d bytes for frame %d of %d", len(space), f.Head.Number, len(f.Payload))
	}
	if f.Head.DType != proto.F64 || f.Head.Extended() {
		copy(space, f.Payload)
		return nil
	}
	for i := 0; i < len(space); i += 8 {
		binary.LittleEndian.PutUint64(space[i:], binary.LittleEndian.Uint64(f.Payload[i:]))
	}
	return nil
}

func (p *Player) claimGroup(heads []proto.Header, frames []Frame) (err error) {
	p.group, err = p.w.ClaimGroup(p.ctx, heads)
	if err == nil && p.group.Len() != len(frames) {
		return fmt.Errorf("group of %d frames, want %d", p.group.Len(), len(frames))
	}
	return err
}

func (p *Player) fillGroup(frames []Frame) error {
	for i := range frames {
		if err := p.fill(p.group.Payload(i), &frames[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *Player) claimBatch(frames []Frame) (err error) {
	p.batch, err = p.w.ClaimBatch(p.ctx, proto.F64, int(frames[0].Head.Shape[0]), len(frames))
	if err == nil && p.batch.Len() != len(frames) {
		return fmt.Errorf("batch of %d frames, want %d", p.batch.Len(), len(frames))
	}
	return err
}

func (p *Player) fillBatch(frames []Frame) error {
	for i := range frames {
		space := p.batch.Float64s(i)
		for j := range space {
			space[j] = math.Float64frombits(binary.LittleEndian.Uint64(frames[i].Payload[8*j:]))
		}
	}
	return nil
}
