package tour

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/kernel"
)

// chunkValues is the length of a chunk in the seed protocol.
const chunkValues = 5

// play sends chunks to a bridge, half-closes, and checks every answer: its sequence
// and its DELTA, which the client does, and its PRIMARY against the kernel.
func play(ctx context.Context, addr string, chunks int) (answers int, err error) {
	k, err := kernel.New("arcsec", kernel.Params{})
	if err != nil {
		return 0, err
	}
	c, err := bridge.Dial(ctx, addr, bridge.ClientConfig{})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	sent := make(chan error, 1)
	go func() { sent <- send(c, chunks) }()
	want := make([]float64, chunkValues)
	for {
		r, err := c.Receive()
		if err == io.EOF {
			return answers, <-sent
		}
		if err != nil {
			return answers, err
		}
		chunk(want, answers)
		k.Apply(want, want)
		for i, y := range r.Primary {
			if math.Float64bits(y) != math.Float64bits(want[i]) {
				return answers, fmt.Errorf("answer %d, value %d is %v, want %v", answers+1, i, y, want[i])
			}
		}
		answers++
	}
}

func send(c *bridge.Client, chunks int) error {
	x := make([]float64, chunkValues)
	for n := range chunks {
		chunk(x, n)
		if err := c.Send(x); err != nil {
			return err
		}
	}
	return c.CloseSend()
}

// chunk fills x with the values of chunk n.
func chunk(x []float64, n int) {
	for i := range x {
		x[i] = 1 + float64(n) + float64(i)/chunkValues
	}
}
