//go:build linux

package ipc_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// One process listens and writes arrays in place; another one, or as here another
// goroutine, dials and reads them where they are.
func Example() {
	dir, err := os.MkdirTemp("/dev/shm", "ndring-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	written := make(chan error)
	go func() {
		w, err := ipc.Listen(ctx, "images", ipc.WriterConfig{Dir: dir, Capacity: 1 << 20})
		if err != nil {
			log.Fatal(err)
		}
		for n := range 3 {
			c, err := w.Claim(ctx, proto.F64, 2, 3)
			if err != nil {
				log.Fatal(err)
			}
			for i := range c.Float64s() {
				c.Float64s()[i] = float64(10*n + i)
			}
			c.Commit()
		}
		written <- w.Close(ctx) // waits for the reader
	}()

	r, err := ipc.Dial(ctx, "images", ipc.ReaderConfig{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for f, err := range r.Frames(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		a, err := f.Array()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.Number(), a.Shape(), f.Float64s())
	}
	if err := <-written; err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 [2 3] [0 1 2 3 4 5]
	// 1 [2 3] [10 11 12 13 14 15]
	// 2 [2 3] [20 21 22 23 24 25]
}
