package main

import (
	"context"
	"net"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	grpcService = "peerbench.Frames"
	grpcStream  = "Exchange" // bidirectional
	grpcUnary   = "Pass"

	// Windows and buffers are set so that flow control never holds a frame
	// up, and that a frame needs few writes.
	grpcWindowBytes = underWayBytes
	grpcBufferBytes = 256 << 10
	grpcFrameMost   = 64 << 20
)

// grpcSocket is where the server of a job listens.
func grpcSocket(e end) string { return filepath.Join(e.dir, "grpc.sock") }

// grpcServe starts a server for one service of one method, described by hand.
func grpcServe(e end, desc grpc.ServiceDesc) (*grpc.Server, error) {
	listener, err := net.Listen("unix", grpcSocket(e))
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(grpcFrameMost), grpc.MaxSendMsgSize(grpcFrameMost),
		grpc.InitialWindowSize(grpcWindowBytes), grpc.InitialConnWindowSize(grpcWindowBytes),
		grpc.ReadBufferSize(grpcBufferBytes), grpc.WriteBufferSize(grpcBufferBytes))
	desc.ServiceName, desc.HandlerType = grpcService, (*any)(nil)
	server.RegisterService(&desc, struct{}{})
	go server.Serve(listener) // ends with the server; a failure shows as one of the client
	return server, nil
}

func grpcDial(e end) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+grpcSocket(e),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}),
			grpc.MaxCallRecvMsgSize(grpcFrameMost), grpc.MaxCallSendMsgSize(grpcFrameMost)),
		grpc.WithInitialWindowSize(grpcWindowBytes), grpc.WithInitialConnWindowSize(grpcWindowBytes),
		grpc.WithReadBufferSize(grpcBufferBytes), grpc.WithWriteBufferSize(grpcBufferBytes))
}

// exchange is one bidirectional stream.
type exchange struct {
	stream interface {
		SendMsg(m any) error
		RecvMsg(m any) error
	}
	out, in message
	end     func() error
}

// connectExchange serves as side 1 and opens the stream as side 0.
func connectExchange(e end) (link, error) {
	if e.isCaller() {
		e.Meet()
		return openExchange(e)
	}
	streams, closed := make(chan grpc.ServerStream), make(chan struct{})
	server, err := grpcServe(e, grpc.ServiceDesc{Streams: []grpc.StreamDesc{{
		StreamName: grpcStream, ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			streams <- stream
			<-closed
			return nil
		},
	}}})
	if err != nil {
		return nil, err
	}
	e.Meet()
	return &exchange{stream: <-streams, end: func() error {
		close(closed)
		server.GracefulStop() // after the last frame has been written
		return nil
	}}, nil
}

func openExchange(e end) (link, error) {
	conn, err := grpcDial(e)
	if err != nil {
		return nil, err
	}
	desc := grpc.StreamDesc{StreamName: grpcStream, ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(context.Background(), &desc, "/"+grpcService+"/"+grpcStream)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &exchange{stream: stream, end: conn.Close}, nil
}

func (x *exchange) buffer(n int) ([]byte, error) {
	x.out.frame = grown(x.out.frame[:cap(x.out.frame)], n)[:n]
	return x.out.frame, nil
}

func (x *exchange) send() error  { return x.stream.SendMsg(&x.out) }
func (x *exchange) flush() error { return nil }
func (x *exchange) close() error { return x.end() }

func (x *exchange) receive() ([]byte, error) {
	err := x.stream.RecvMsg(&x.in)
	return x.in.frame, err
}
