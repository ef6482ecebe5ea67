//go:build linux

package ipc

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ndring/ndring/ring/mutation"
)

// broken reads testdata/promises.txt: changes of the source that break a promise of
// docs/promises.md, and the tests that notice.
func broken(t *testing.T) []mutation.Mutant {
	t.Helper()
	return mutation.List(t, "testdata/promises.txt", "..", "promise", "test")
}

// Check that every change in the list still fits the source, and that the promise it
// breaks is kept by the tests that are said to notice.
func TestBrokenPromisesApply(t *testing.T) {
	page, err := os.ReadFile("../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	all := broken(t)
	mutation.MustApply(t, all)
	for _, m := range all {
		promise, tests := m.Keys["promise"], m.Keys["test"]
		_, row, found := strings.Cut(string(page), "\n| "+promise+" |")
		row, _, _ = strings.Cut(row, "\n")
		named, err := regexp.Compile("`Test[A-Za-z]*(" + tests + ")")
		if !found || tests == "" || err != nil || !named.MatchString(row) {
			t.Errorf("%s: docs/promises.md names no test %q for promise %s (%v)", m.Name, tests, promise, err)
		}
	}
}

// Check that the tests between processes notice each broken promise.
func TestBrokenPromisesAreNoticed(t *testing.T) {
	mutation.Each(t, broken(t), func(t *testing.T, m mutation.Mutant) {
		m.MustFail(t, "Test[A-Za-z]*("+m.Keys["test"]+")")
	})
}
