//go:build !zmq

package main

import (
	"fmt"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// zmqMissing is why ZeroMQ cannot be measured.
const zmqMissing = "built without libzmq: apt-get install libzmq3-dev pkg-config gcc, then make peerbench, which builds with -tags zmq"

// connectZMQ stands in for the one that needs libzmq.
func connectZMQ(end) (link, error) {
	return nil, fmt.Errorf("%w: %s", bench.ErrSkipped, zmqMissing)
}

// zmqVersion is empty: no library was measured.
func zmqVersion() string { return "" }
