//go:build linux

package ring_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/ndring/ndring/ring/mutation"
)

// mutants reads testdata/mutations.txt. Each says how it is noticed: by tests that fail;
// by an entry of docs/model/run, the mutant of a model that fails, where tests cannot on
// this processor, or the model that verifies without, where seq-cst makes up for what is
// taken out; or it is argued why neither a test nor a model notices.
func mutants(t *testing.T) []mutation.Mutant {
	t.Helper()
	return mutation.List(t, "testdata/mutations.txt", ".", "test", "fails", "verifies", "argued")
}

// Check that every change in the list of mutations still fits the source.
func TestMutantsApply(t *testing.T) { mutation.MustApply(t, mutants(t)) }

// Check that each mutation says how it is noticed, and that what it names of the models
// is checked there.
func TestMutantsAreAccountedFor(t *testing.T) {
	checked, err := os.ReadFile("../docs/model/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants(t) {
		if len(m.Keys) != 1 {
			t.Errorf("%s: noticed in %d ways", m.Name, len(m.Keys))
		}
		if entry := m.Keys["fails"] + m.Keys["verifies"]; entry != "" && !bytes.Contains(checked, []byte("\n"+entry+"\n")) {
			t.Errorf("%s: docs/model/run does not check %s", m.Name, entry)
		}
	}
}

// Check that the tests notice each mutation: a fence, bound, check or store taken out.
func TestMutantsAreKilled(t *testing.T) {
	tried := slices.DeleteFunc(mutants(t), func(m mutation.Mutant) bool { return m.Keys["test"] == "" })
	mutation.Each(t, tried, func(t *testing.T, m mutation.Mutant) {
		m.MustFail(t, m.Keys["test"])
	})
}
