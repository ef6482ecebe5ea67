// Command gen writes the vector kernels of package kernel as Go assembly:
//
//	go run ./kernel/gen kernel
//
// A kernel is described once as a sequence of steps on one vector, its stream;
// the generator repeats the steps for several streams and interleaves them, so
// that the fused operations of one fill the latencies of the others.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen DIRECTORY")
		os.Exit(2)
	}
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// files returns every generated file by name.
func files() map[string]string {
	return map[string]string{
		"arcsec_avx512_amd64.s": arcsecAVX512(),
		"arcsec_avx2_amd64.s":   arcsecAVX2(),
		"linear_amd64.s":        linear(),
	}
}
