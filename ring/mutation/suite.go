package mutation

import (
	"os"
	"strings"
	"testing"
)

// List is Read for a test, which ends when the list cannot be read.
func List(t *testing.T, list, root string, keys ...string) []Mutant {
	t.Helper()
	all, err := Read(list, root, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// MustApply reports the mutants that do not fit the source any more.
func MustApply(t *testing.T, all []Mutant) {
	t.Helper()
	for _, m := range all {
		if _, err := m.Apply(); err != nil {
			t.Error(err)
		}
	}
}

// Each calls run in a subtest for each mutant that NDRING_MUTANTS chooses: all for 1,
// else those whose name holds its value. Without it the test is skipped.
func Each(t *testing.T, all []Mutant, run func(*testing.T, Mutant)) {
	t.Helper()
	choice := os.Getenv("NDRING_MUTANTS")
	if choice == "" {
		t.Skip("takes minutes: set NDRING_MUTANTS=1")
	}
	for _, m := range all {
		if choice == "1" || strings.Contains(m.Name, choice) {
			t.Run(m.Name, func(t *testing.T) { run(t, m) })
		}
	}
}
