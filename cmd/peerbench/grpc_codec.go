package main

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// message is what gRPC carries: a frame as it is, without protobuf around it.
// Like a generated codec, rawCodec copies once to send, since gRPC keeps what
// it is given until it is written, and once to receive, since a large message
// arrives in pieces. Both copies live in gRPC's pool of buffers.
type message struct {
	frame    []byte
	received mem.Buffer // holds frame until the next message, nil if sent
}

// release gives the memory of a received message back.
func (m *message) release() {
	if m.received != nil {
		m.received.Free()
	}
	m.frame, m.received = nil, nil
}

// rawCodec has a method set for grpc.ForceCodecV2 and the like.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

func (rawCodec) Name() string { return "raw" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, fmt.Errorf("encode %T: only a *message has a form", v)
	}
	return mem.BufferSlice{mem.Copy(m.frame, mem.DefaultBufferPool())}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return fmt.Errorf("decode into %T: only a *message has a form", v)
	}
	m.release()
	m.received = data.MaterializeToBuffer(mem.DefaultBufferPool())
	m.frame = m.received.ReadOnlyData()
	return nil
}
