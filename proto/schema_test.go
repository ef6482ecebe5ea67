package proto

import (
	"errors"
	"testing"
)

// Check what each kind of schema admits.
func TestSchemaAdmit(t *testing.T) {
	open := Schema{NDim: AnyNDim}
	floats := Schema{DType: F64, NDim: AnyNDim}
	scalar := Schema{DType: F64}
	rows := Schema{DType: F64, NDim: 2, Shape: [MaxDims]uint64{AnyDim, 3}}
	empty := Schema{DType: F64, NDim: 1}
	for _, c := range []struct {
		name   string
		schema Schema
		dtype  DType
		shape  []uint64
		admits bool
	}{
		{"open takes anything", open, U8, []uint64{1, 2, 3}, true},
		{"open takes a scalar", open, C128, nil, true},
		{"dtype matches", floats, F64, []uint64{9}, true},
		{"dtype differs", floats, F32, []uint64{9}, false},
		{"scalar", scalar, F64, nil, true},
		{"scalar wanted, one dimension given", scalar, F64, []uint64{1}, false},
		{"any extent", rows, F64, []uint64{1000, 3}, true},
		{"any extent, zero", rows, F64, []uint64{0, 3}, true},
		{"fixed extent differs", rows, F64, []uint64{1000, 4}, false},
		{"one dimension short", rows, F64, []uint64{3}, false},
		{"one dimension more", rows, F64, []uint64{1, 3, 1}, false},
		{"dtype differs, shape matches", rows, I64, []uint64{1, 3}, false},
		{"extent zero", empty, F64, []uint64{0}, true},
		{"extent zero wanted", empty, F64, []uint64{1}, false},
	} {
		err := c.schema.Admit(c.dtype, c.shape)
		if c.admits && err != nil || !c.admits && !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
