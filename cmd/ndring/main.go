//go:build linux

// Ndring moves N-dimensional array streams between processes without copying
// them. See "ndring help" and the README.
package main

import (
	"os"

	"github.com/ndring/ndring/cmd/ndring/command"
)

func main() {
	os.Exit(command.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
