package ringtest

import (
	"context"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Send commits one frame of values, inline unless set makes it more.
func (r *Ring) Send(t testing.TB, x []float64, set ...func(*proto.Header)) {
	t.Helper()
	h := proto.Header{DType: proto.F64, NDim: 1}
	h.Shape[0] = uint64(len(x))
	for _, f := range set {
		f(&h)
	}
	c, err := r.ClaimFrame(context.Background(), &h)
	if err != nil {
		t.Fatal(err)
	}
	copy(c.Float64s(), x)
	c.Commit()
}

// EndStream commits the end of stream id.
func (r *Ring) EndStream(t testing.TB, id uint64) {
	t.Helper()
	r.Send(t, nil, OnStream(id, 0), func(h *proto.Header) {
		h.Kind, h.DType = proto.KindStreamEnd, proto.U8
	})
}

// OnStream makes a frame for Send one of a stream.
func OnStream(id uint64, sequence uint32) func(*proto.Header) {
	return func(h *proto.Header) {
		h.ExtFlags |= proto.ExtStream
		h.Stream, h.Sequence = id, sequence
	}
}
