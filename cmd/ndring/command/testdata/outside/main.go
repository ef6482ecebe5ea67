package main

import (
	"context"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

func main() {
	ctx := context.Background()
	w, _ := ipc.Listen(ctx, "images", ipc.WriterConfig{})
	r, _ := ipc.Dial(ctx, "images", ipc.ReaderConfig{})
	go func() {
		for frame := range r.Frames(ctx) {
			image, _ := frame.Array()
			fmt.Println(nd.At[float32](image, 2, 100, 50)) // in shared memory
		}
	}()
	for n := range 10 {
		claim, _ := w.Claim(ctx, proto.F32, 3, 224, 224)
		image, _ := claim.Array()
		_ = nd.Set(image, float32(n), 2, 100, 50) // in place
		claim.Commit()
	}
	fmt.Println("closed", w.Close(ctx))
}
