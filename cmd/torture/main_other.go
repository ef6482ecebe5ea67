//go:build !linux

// Command torture is a crash laboratory for rings, which need Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "torture: rings need Linux")
	os.Exit(1)
}
