//go:build !race

package ring_test

import (
	"context"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Check that moving frames allocates nothing once warm: single, extended, in groups
// and in batches.
func TestHotPathAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	p := newStill(t, nil)
	group := []proto.Header{
		{DType: proto.F64, NDim: 1, Shape: [8]uint64{5}},
		{DType: proto.F64, NDim: 1, Shape: [8]uint64{5}, Role: proto.RoleDelta},
	}
	head := proto.Header{DType: proto.F64, NDim: 1, Shape: [8]uint64{5}, ExtFlags: proto.ExtStream | proto.ExtTime}
	reads := func(n int) {
		for range n {
			f, err := p.r.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Array(); err != nil || f.Float64s() == nil {
				t.Fatal(err)
			}
			if err := p.r.Release(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, move := range map[string]func(){
		"inline": func() {
			c, _ := p.w.Claim(ctx, proto.F64, 5)
			c.Float64s()[0] = 1
			c.Commit()
			reads(1)
		},
		"matrix": func() {
			c, _ := p.w.Claim(ctx, proto.F64, 3, 4)
			c.Commit()
			reads(1)
		},
		"stream": func() {
			c, _ := p.w.ClaimFrame(ctx, &head)
			c.Commit()
			reads(1)
		},
		"group": func() {
			g, _ := p.w.ClaimGroup(ctx, group)
			g.Commit()
			reads(2)
		},
		"batch": func() {
			b, _ := p.w.ClaimBatch(ctx, proto.F64, 5, 8)
			n := b.Len()
			b.Commit()
			for n > 0 {
				rb, err := p.r.NextBatch(ctx, 8)
				if err != nil {
					t.Fatal(err)
				}
				n -= rb.Len()
			}
			_ = p.r.Release()
		},
	} {
		move()
		if n := testing.AllocsPerRun(5000, move); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}
