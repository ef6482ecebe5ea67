//go:build linux

package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// named collects what an expression finds in files, in the spelling ERR_NO_RING.
func named(t *testing.T, expression string, spell func(string) string, files ...string) []string {
	t.Helper()
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(expression).FindAllStringSubmatch(string(text), -1) {
			names = append(names, spell(found[1]))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// shout spells NoRing as NO_RING. DType is one word.
func shout(name string) string {
	name = strings.ReplaceAll(name, "DType", "Dtype")
	name = strings.ReplaceAll(name, "RingID", "RingId")
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "${1}_$2"))
}

// Check that one cause has one name in all three languages.
func TestErrorNames(t *testing.T) {
	inGo := named(t, `\n\s*(?:var )?Err(\w+)\s+=\s`, shout, "proto/errors.go", "ring/errors.go", "ipc/errors.go")
	inC := named(t, `X\(ERR_(\w+),`, strings.Clone, "proto/c/ndring_status.h")
	inPython := named(t, `\nclass (\w+)Error\(`, shout, "proto/python/ndring/errors.py")
	t.Log("Go:", inGo)
	t.Log("C:", inC)
	t.Log("Python:", inPython)
	without := func(names []string, less ...string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(less, n) })
	}
	// Where the languages have words of their own: docs/clients.md, "Errors".
	c := without(inC, "TIMEOUT", "SYSTEM", "CLOSED", "NAME")
	// What only Go can tell or has parts for, and what Go has no need to tell.
	onlyGo, notGo := []string{"CHUNK", "SEGMENT_LOST", "LEFTOVER", "MEMORY", "NAME"}, []string{"PLATFORM", "RELEASED"}
	python := without(inPython, "NDRING", "CONTRACT", "CLOSED", "CHUNK", "INVALID_NAME")
	if !slices.Equal(c, python) {
		t.Errorf("C has %v, Python has %v", without(c, python...), without(python, c...))
	}
	shared, elsewhere := without(inGo, onlyGo...), without(c, notGo...)
	if !slices.Equal(shared, elsewhere) {
		t.Errorf("Go has %v, C has %v", without(shared, elsewhere...), without(elsewhere, shared...))
	}
}
