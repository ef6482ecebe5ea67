//go:build !linux

// Ndring needs Linux. On other systems this program says so.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintf(os.Stderr, "ndring: %s is not supported: rings need Linux (tmpfs, eventfd, SOCK_SEQPACKET)\n", runtime.GOOS)
	os.Exit(1)
}
