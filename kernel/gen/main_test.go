package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Check that the assembly in the package is what the generator writes.
func TestGenerated(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if string(got) != want {
			t.Errorf("%s differs from the generator's output: run go generate ./kernel", name)
		}
	}
}
