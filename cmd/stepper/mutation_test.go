//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/ndring/ndring/ring/mutation"
)

// mutants reads testdata/mutations.txt: changes of the source that stepping must notice,
// with what to step if not everything.
func mutants(t *testing.T) []mutation.Mutant {
	t.Helper()
	return mutation.List(t, "testdata/mutations.txt", "../..", "only")
}

// Check that every change in the list of mutations still fits the source.
func TestMutantsApply(t *testing.T) { mutation.MustApply(t, mutants(t)) }

// Check that stepping notices each mutation: a store, bound or order changed.
func TestMutantsAreKilled(t *testing.T) {
	mutation.Each(t, mutants(t), func(t *testing.T, m mutation.Mutant) {
		needPtrace(t)
		program, err := m.Build(".", t.TempDir(), "build")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
		defer cancel()
		out, err := mutation.Run(ctx, ".", program, "-only", m.Keys["only"])
		if err == nil {
			t.Fatalf("survives:\n%s", out)
		}
		if !bytes.Contains(out, []byte("after instruction")) {
			t.Fatalf("fails, but not by a step: %v\n%s", err, out)
		}
		t.Logf("%s", out)
	})
}
