package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A tree is one checkout, read into memory.
type tree struct {
	root    string   // absolute path of the checkout; "" when unknown
	module  string   // module path from go.mod
	tracked []string // what git tracks
	files   []*file  // what git tracks or would add, by path
	fset    *token.FileSet
}

// A file is one regular file of the tree.
type file struct {
	path   string // slash-separated, relative to the root
	data   []byte
	syntax *ast.File // nil unless a Go file that parses
	err    error     // why a Go file does not parse
}

// openCheckout reads the git checkout whose root is dir.
func openCheckout(dir string) (*tree, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve %q: %w", dir, err)
	}
	tracked, err := gitFiles(root, "--cached")
	if err != nil {
		return nil, err
	}
	others, err := gitFiles(root, "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	t, err := readTree(os.DirFS(root), tracked, others)
	if err != nil {
		return nil, err
	}
	t.root = filepath.ToSlash(root)
	return t, nil
}

// gitFiles lists files as "git ls-files" does, relative to root.
func gitFiles(root string, options ...string) ([]string, error) {
	cmd := exec.Command("git", append([]string{"-C", root, "ls-files", "-z"}, options...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("list the files of %s (it must be a git checkout): %w: %s", root, err, bytes.TrimSpace(exit.Stderr))
		}
		return nil, fmt.Errorf("run git, which must be installed: %w", err)
	}
	names := strings.Split(string(out), "\x00")
	return slices.DeleteFunc(names, func(name string) bool { return name == "" }), nil
}

// readTree reads the named files of fsys. A tracked file that was deleted
// without telling git, and anything that is not a regular file, is left out.
func readTree(fsys fs.FS, tracked, others []string) (*tree, error) {
	t := &tree{tracked: tracked, fset: token.NewFileSet()}
	names := slices.Concat(tracked, others)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		info, err := fs.Stat(fsys, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at %q: %w", name, err)
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", name, err)
		}
		t.files = append(t.files, t.parse(name, data))
	}
	for _, f := range t.files {
		if f.path == "go.mod" {
			t.module = modulePath(f.data)
		}
	}
	if t.module == "" {
		return nil, errors.New("no go.mod with a module line at the root: name the root of the checkout")
	}
	return t, nil
}

func (t *tree) parse(name string, data []byte) *file {
	f := &file{path: name, data: data}
	if f.isGo() {
		f.syntax, f.err = parser.ParseFile(t.fset, name, data, parser.ParseComments|parser.SkipObjectResolution)
		if f.err != nil {
			f.syntax = nil
		}
	}
	return f
}

// modulePath returns the path in the module line of a go.mod file.
func modulePath(goMod []byte) string {
	m := regexp.MustCompile(`(?m)^module\s+(\S+)`).FindSubmatch(goMod)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// lineOf returns the line number of a position in a parsed file.
func (t *tree) lineOf(pos token.Pos) int { return t.fset.Position(pos).Line }

func (f *file) dir() string  { return path.Dir(f.path) }
func (f *file) base() string { return path.Base(f.path) }

// isGo reports whether the go command sees f as Go source.
func (f *file) isGo() bool { return strings.HasSuffix(f.path, ".go") && !f.isTestdata() }

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// isTestdata reports whether f is data or fixture of a test.
func (f *file) isTestdata() bool { return slices.Contains(strings.Split(f.path, "/"), "testdata") }

// isText guesses from the first bytes, as git does.
func (f *file) isText() bool {
	return bytes.IndexByte(f.data[:min(len(f.data), 8000)], 0) < 0
}

// within reports whether p is dir or lies below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// An importSpec is one import of one file.
type importSpec struct {
	file *file
	path string
	line int
}

// imports calls visit for each import of each Go file that keep accepts.
func (t *tree) imports(keep func(*file) bool, visit func(importSpec)) {
	for _, f := range t.files {
		if f.syntax == nil || !keep(f) {
			continue
		}
		for _, spec := range f.syntax.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has already refused it
			}
			visit(importSpec{f, p, t.lineOf(spec.Pos())})
		}
	}
}

func anyFile(*file) bool   { return true }
func notTest(f *file) bool { return !f.isTest() }

// checkParse reports the Go files that the other rules cannot look into.
func checkParse(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.err != nil {
			found = append(found, finding{file: f.path, line: 1, text: fmt.Sprintf("%v; the other rules cannot see this file until it parses", f.err)})
		}
	}
	return found
}
