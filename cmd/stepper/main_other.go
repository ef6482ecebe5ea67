//go:build !(linux && amd64)

package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintf(os.Stderr, "stepper: %s/%s is not supported: it takes ptrace on Linux, and the registers of amd64\n", runtime.GOOS, runtime.GOARCH)
	os.Exit(1)
}
