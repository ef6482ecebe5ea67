package proto

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/layout.txt")

// layoutFiles hold the constants of the contract.
var layoutFiles = []string{"layout.go", "layout_message.go", "message.go", "dtype.go", "seed.go"}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) {
	return nil, errors.New("constants need no imports")
}

// layoutConstants evaluates every exported constant of layoutFiles and returns
// them as lines "Name = value", by file and in the order of the source.
func layoutConstants(t *testing.T) (text string, values map[string]string) {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range layoutFiles {
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	conf.Check("proto", set, files, info) // functions miss their imports; constants do not

	var b strings.Builder
	b.WriteString("# Every constant of the contract, generated: go test ./proto -run TestLayoutFile -update\n")
	values = map[string]string{}
	for i, f := range files {
		fmt.Fprintf(&b, "\n# %s\n", layoutFiles[i])
		for _, name := range constantNames(f) {
			c, ok := info.Defs[name].(*types.Const)
			if !ok || c.Val().Kind() != constant.Int {
				t.Fatalf("%s: %s has no integer value", layoutFiles[i], name.Name)
			}
			values[name.Name] = c.Val().ExactString()
			fmt.Fprintf(&b, "%s = %s\n", name.Name, values[name.Name])
		}
	}
	return b.String(), values
}

func constantNames(f *ast.File) []*ast.Ident {
	var names []*ast.Ident
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			for _, name := range s.(*ast.ValueSpec).Names {
				if name.IsExported() {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// Check that testdata/layout.txt, which other languages read, holds every
// constant of the contract with its value.
func TestLayoutFile(t *testing.T) {
	got, _ := layoutConstants(t)
	path := filepath.Join("testdata", "layout.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is stale: go test ./proto -run TestLayoutFile -update\n%s", path, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: source says %q, file says %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("source gives %d lines, file has %d", len(g), len(w))
}

// row matches a table row that starts with a constant and its value.
var row = regexp.MustCompile("^\\| *`?([A-Z][A-Za-z0-9]*)`? *\\| *`?(0x[0-9a-f]+|[0-9]+)`? *\\|")

// Check that the tables of docs/layout.md and docs/protocol.md state the values
// of the source, and that together they name every offset, size and code in it.
func TestLayoutDocs(t *testing.T) {
	_, values := layoutConstants(t)
	named := map[string]bool{}
	for _, doc := range []string{"layout.md", "protocol.md"} {
		path := filepath.Join("..", "docs", doc)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			m := row.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			value, ok := values[m[1]]
			if !ok {
				t.Errorf("%s:%d: %s is not a constant of the contract", path, i+1, m[1])
			} else if stated := parseNumber(t, m[2]); fmt.Sprint(stated) != value {
				t.Errorf("%s:%d: %s = %s, the source says %s", path, i+1, m[1], m[2], value)
			}
			named[m[1]] = true
		}
	}
	for name := range values {
		if !named[name] {
			t.Errorf("no table of docs/layout.md or docs/protocol.md has a row for %s", name)
		}
	}
}
