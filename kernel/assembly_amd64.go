//go:build !noasm

package kernel

// Functions of the generated assembly. n is the number of elements, at least 1;
// each pointer is that of the first element of a slice of at least that length.
// What they compute, and in which order, is what the Go kernels compute.

//go:generate go run ./gen .

//go:noescape
func arcsecAVX2(p *angle, y, x *float64, n int)

//go:noescape
func arcsecDeltaAVX2(p *angle, y, d, last, x *float64, n int)

//go:noescape
func arcsecAVX512(p *angle, y, x *float64, n int)

//go:noescape
func arcsecDeltaAVX512(p *angle, y, d, last, x *float64, n int)

//go:noescape
func affineAVX2(p *affine, y, x *float64, n int)

//go:noescape
func affineDeltaAVX2(p *affine, y, d, last, x *float64, n int)

//go:noescape
func affineAVX512(p *affine, y, x *float64, n int)

//go:noescape
func affineDeltaAVX512(p *affine, y, d, last, x *float64, n int)

//go:noescape
func copyDeltaAVX2(y, d, last, x *float64, n int)

//go:noescape
func copyDeltaAVX512(y, d, last, x *float64, n int)
