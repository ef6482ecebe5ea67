package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// TestMain makes this test binary the program of its sides.
func TestMain(m *testing.M) {
	if !bench.Assigned() {
		os.Exit(m.Run())
	}
	if err := bench.Serve(roles(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
