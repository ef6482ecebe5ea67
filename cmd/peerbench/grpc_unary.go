package main

import (
	"context"
	"errors"

	"google.golang.org/grpc"
)

// caller is the client of unary calls: send is a call, and receive returns
// what the call was answered with.
type caller struct {
	conn    *grpc.ClientConn
	out, in message
}

// callee is their server: receive returns what the running call brought, send
// answers it. A call that nothing was sent for is answered with an empty
// message when the next one is asked for.
type callee struct {
	server  *grpc.Server
	calls   chan *message // arrived
	answers chan *message // to the call that runs
	running bool
	out     message
}

// connectUnary serves as side 1 and calls as side 0.
func connectUnary(e end) (link, error) {
	if e.isCaller() {
		e.Meet()
		conn, err := grpcDial(e)
		return &caller{conn: conn}, err
	}
	c := &callee{calls: make(chan *message), answers: make(chan *message)}
	server, err := grpcServe(e, grpc.ServiceDesc{Methods: []grpc.MethodDesc{{
		MethodName: grpcUnary, Handler: c.handle,
	}}})
	if err != nil {
		return nil, err
	}
	c.server = server
	e.Meet()
	return c, nil
}

func (c *caller) buffer(n int) ([]byte, error) {
	c.out.frame = grown(c.out.frame[:cap(c.out.frame)], n)[:n]
	return c.out.frame, nil
}

func (c *caller) send() error {
	return c.conn.Invoke(context.Background(), "/"+grpcService+"/"+grpcUnary, &c.out, &c.in)
}

func (c *caller) flush() error { return nil }
func (c *caller) close() error { return c.conn.Close() }

func (c *caller) receive() ([]byte, error) {
	if len(c.in.frame) == 0 {
		return nil, errors.New("receive: the call was not answered with a frame")
	}
	return c.in.frame, nil
}

// handle runs for one call after another: the client awaits each.
func (c *callee) handle(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var in message
	if err := decode(&in); err != nil {
		return nil, err
	}
	c.calls <- &in
	answer := <-c.answers
	in.release()
	return answer, nil
}

func (c *callee) buffer(n int) ([]byte, error) {
	c.out.frame = make([]byte, n) // the answer is encoded at some later time
	return c.out.frame, nil
}

func (c *callee) send() error {
	c.answer(&message{frame: c.out.frame})
	return nil
}

func (c *callee) answer(m *message) {
	c.running = false
	c.answers <- m
}

func (c *callee) flush() error { return nil }

func (c *callee) receive() ([]byte, error) {
	if c.running {
		c.answer(&message{})
	}
	m := <-c.calls
	c.running = true
	return m.frame, nil
}

func (c *callee) close() error {
	c.server.GracefulStop()
	return nil
}
