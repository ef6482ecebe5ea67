//go:build linux

package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/ndring/ndring/ring/mutation"
)

// mutants reads testdata/mutations.txt: changes of the shipped source that the laboratory
// must notice, with the rooms to run and the sort of fault to be found.
func mutants(t *testing.T) []mutation.Mutant {
	t.Helper()
	return mutation.List(t, "testdata/mutations.txt", "../..", "rooms", "finds")
}

// Check that every change in the list of mutations still fits the source.
func TestMutantsApply(t *testing.T) { mutation.MustApply(t, mutants(t)) }

// Check that the laboratory notices changes of the shipped code, and calls the fault
// by its name.
func TestMutantsAreKilled(t *testing.T) {
	mutation.Each(t, mutants(t), func(t *testing.T, m mutation.Mutant) {
		program, err := m.Build(".", t.TempDir(), "build")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		out, err := mutation.Run(ctx, ".", program, "-duration", "8s", "-stuck", "5s", "-rooms", m.Keys["rooms"])
		if err == nil || !bytes.Contains(out, []byte("\nFAULT "+m.Keys["finds"]+": ")) {
			t.Errorf("no fault of the sort %q: %v\n%s", m.Keys["finds"], err, out)
		}
	})
}
