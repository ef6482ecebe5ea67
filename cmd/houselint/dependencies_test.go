package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Check that docs/dependencies.md has one line for each module that go.mod requires
// directly, and none for another.
func TestDocumentedDependencies(t *testing.T) {
	listed := func(file, expression string) []string {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range regexp.MustCompile(expression).FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		slices.Sort(names)
		return names
	}
	required := listed("go.mod", `(?m)^\t(\S+) v[^/\n]*$`)
	documented := listed("docs/dependencies.md", "(?m)^\\| `([^`]+)`")
	if len(required) == 0 || !slices.Equal(required, documented) {
		t.Errorf("docs/dependencies.md has %v, go.mod requires %v", documented, required)
	}
}
