package npy_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/proto/npy"
)

// Two arrays go through one stream; the second is a transposed view.
func Example() {
	a, err := nd.From([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := a.Transpose()
	if err != nil {
		fmt.Println(err)
		return
	}
	var stream bytes.Buffer
	for _, v := range []nd.Array{a, t} {
		if err := npy.Write(&stream, v); err != nil {
			fmt.Println(err)
			return
		}
	}
	for {
		v, err := npy.Read(&stream)
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(v.Desc(), v.Preview(6))
	}
	// Output:
	// f32[2,3] [1 2 3 4 5 6]
	// f32[3,2] [1 4 2 5 3 6]
}
