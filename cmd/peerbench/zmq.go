//go:build zmq

package main

import (
	"errors"
	"fmt"
	"path/filepath"

	zmq "github.com/pebbe/zmq4"
)

// zmqQueueMost bounds the high-water mark of a socket, in frames.
const zmqQueueMost = 64 << 10

// pair is a PAIR socket over ipc://. libzmq copies a frame into a message of
// its own; the binding copies it out into a new slice.
type pair struct {
	context *zmq.Context
	socket  *zmq.Socket
	out     []byte
	pending int
}

// zmqMissing is why ZeroMQ cannot be measured: nothing.
const zmqMissing = ""

// connectZMQ binds as side 1 and connects as side 0.
func connectZMQ(e end) (link, error) {
	context, err := zmq.NewContext()
	if err != nil {
		return nil, err
	}
	context.SetRetryAfterEINTR(true) // the Go runtime sends signals to its threads
	socket, err := context.NewSocket(zmq.PAIR)
	if err != nil {
		return nil, err
	}
	queue := e.window(zmqQueueMost)
	err = errors.Join(socket.SetSndhwm(queue), socket.SetRcvhwm(queue))
	if err != nil {
		return nil, err
	}
	address := "ipc://" + filepath.Join(e.dir, "zmq.sock")
	if e.isCaller() {
		e.Meet()
		err = socket.Connect(address)
	} else {
		err = socket.Bind(address)
		e.Meet()
	}
	if err != nil {
		return nil, fmt.Errorf("join at %s: %w", address, err)
	}
	return &pair{context: context, socket: socket}, nil
}

func (p *pair) buffer(n int) ([]byte, error) {
	p.out, p.pending = grown(p.out, n), n
	return p.out[:n], nil
}

func (p *pair) send() error {
	_, err := p.socket.SendBytes(p.out[:p.pending], 0)
	return err
}

func (p *pair) flush() error { return nil }

func (p *pair) receive() ([]byte, error) {
	frame, err := p.socket.RecvBytes(0)
	if err == nil && len(frame) < numberBytes {
		err = errShort(len(frame))
	}
	return frame, err
}

// close lets the context wait until the last frame has gone out.
func (p *pair) close() error {
	return errors.Join(p.socket.Close(), p.context.Term())
}

// zmqVersion is that of the library, not of the binding.
func zmqVersion() string {
	major, minor, patch := zmq.Version()
	return fmt.Sprintf("%d.%d.%d", major, minor, patch)
}
