package kernel_test

import (
	"fmt"

	"github.com/ndring/ndring/kernel"
)

// A stream of frames: each result, and its difference to the one before.
func Example() {
	k, err := kernel.New("affine", kernel.Params{Scale: 2, Offset: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	y, d, last := make([]float64, 3), make([]float64, 3), make([]float64, 3)
	k.Apply(last, []float64{0, 1, 2})
	k.ApplyDelta(y, d, last, []float64{1, 3, 5})
	fmt.Println(y, d)
	// Output: [3 7 11] [2 4 6]
}

func ExampleNew_unknown() {
	_, err := kernel.New("cosec", kernel.Params{})
	fmt.Println(err)
	// Output: kernel "cosec": unknown kernel: known are affine, arcsec, asec, delta, identity, interp
}
