package nd_test

import (
	"fmt"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// A payload of 24 bytes seen as two rows of three float32, then as its transpose.
func Example() {
	payload := make([]byte, 24)
	d, err := nd.Contiguous(proto.F32, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := nd.New(d, payload)
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := nd.Slice[float32](a) // the payload itself
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range values {
		values[i] = float32(i) / 2
	}
	t, err := a.Transpose()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Desc(), a.Preview(6))
	fmt.Println(t.Desc(), t.Preview(6))
	// Output:
	// f32[2,3] [0 0.5 1 1.5 2 2.5]
	// f32[3,2] [0 1.5 0.5 2 1 2.5]
}

// The middle column of a matrix, from the last row to the first.
func ExampleArray_Slice() {
	a, err := nd.From([]int64{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	column, err := a.Index(1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	up, err := column.Slice(0, column.Dim(0)-1, -1, -1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(up)
	// Output: i64[2] 5 2
}

// Elements of a strided view are summed without a copy.
func ExampleValues() {
	a, err := nd.From([]float64{1, 2, 3, 4, 5, 6}, 3, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	even, err := a.Slice(1, 1, 2, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := nd.Values[float64](even)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum := 0.0
	for v := range values {
		sum += v
	}
	fmt.Println(sum)
	// Output: 12
}

// A description that reaches beyond its payload is refused with both sizes.
func ExampleDesc_Validate() {
	d := nd.Desc{DType: proto.F64, NDim: 1}
	d.Shape[0], d.Strides[0] = 5, 16
	fmt.Println(d.Validate(40))
	// Output: describe array: invalid shape: f64[5] with strides (16) spans 72 bytes, the payload has 40
}

func ExampleFromFloat32() {
	h := nd.FromFloat32(0.1)
	fmt.Printf("%#04x %s %v\n", uint16(h), h, h.Float32())
	// Output: 0x2e66 0.1 0.099975586
}
