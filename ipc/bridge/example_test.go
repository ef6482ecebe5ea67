package bridge_test

import (
	"context"
	"fmt"
	"net"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/kernel"
)

// A bridge that computes by itself, and a client of it.
func Example() {
	k, err := kernel.New("affine", kernel.Params{Scale: 10, Offset: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := bridge.New(bridge.Config{Kernel: k})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error)
	go func() { served <- b.Serve(ctx, l) }()

	c, err := bridge.Dial(ctx, l.Addr().String(), bridge.ClientConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range [][]float64{{1, 2}, {3, 5}} {
		if err := c.Send(x); err != nil {
			fmt.Println(err)
		}
	}
	if err := c.CloseSend(); err != nil {
		fmt.Println(err)
	}
	for {
		r, err := c.Receive()
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(r.Sequence, r.Primary, r.Delta)
	}
	c.Close()
	cancel()
	fmt.Println(<-served)
	// Output:
	// 1 [11 21] []
	// 2 [31 51] [20 30]
	// EOF
	// <nil>
}
