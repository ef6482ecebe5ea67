//go:build linux

package ipc

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// Of a row: the tests, the functions and the models it names.
	promiseTest = regexp.MustCompile("(?:`([a-z/]+)` )?`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	promiseKept = regexp.MustCompile("`([a-z/_0-9]+\\.go):([A-Za-z0-9]+)`")
	promiseFile = regexp.MustCompile(`docs/model/[a-z]+\.pml`)
)

// functions are the names of what the Go files that match declare, methods too.
func functions(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}

// Check that every test, function and model that docs/promises.md names exists where
// it says, and that each promise has a test between processes.
func TestPromisesAreNamed(t *testing.T) {
	page, err := os.ReadFile("../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]map[string]bool{}
	want := func(line int, pattern, name string) {
		if declared[pattern] == nil {
			declared[pattern] = functions(t, filepath.Join("..", pattern))
		}
		if !declared[pattern][name] {
			t.Errorf("docs/promises.md:%d: no %s in %s", line, name, pattern)
		}
	}
	promises := 0
	for i, text := range strings.Split(string(page), "\n") {
		for _, m := range promiseTest.FindAllStringSubmatch(text, -1) {
			want(i+1, cmp.Or(m[1], "ipc")+"/*_test.go", m[2])
		}
		for _, m := range promiseKept.FindAllStringSubmatch(text, -1) {
			want(i+1, m[1], m[2])
		}
		for _, path := range promiseFile.FindAllString(text, -1) {
			if _, err := os.Stat(filepath.Join("..", path)); err != nil {
				t.Errorf("docs/promises.md:%d: %v", i+1, err)
			}
		}
		cells := strings.Split(text, "|")
		if len(cells) < 6 || !regexp.MustCompile(`^ [RC][0-9]+ $`).MatchString(cells[1]) {
			continue
		}
		promises++
		if !promiseTest.MatchString(cells[4]) {
			t.Errorf("docs/promises.md:%d: promise%sis checked between no processes", i+1, cells[1])
		}
	}
	if promises < 60 {
		t.Errorf("%d promises were found", promises)
	}
}
