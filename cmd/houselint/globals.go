package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// checkInit forbids init functions everywhere but in tests.
func checkInit(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.syntax == nil || f.isTest() {
			continue
		}
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, finding{file: f.path, line: t.lineOf(fn.Pos()), text: "func init runs behind the caller's back; use an initialised table, or a constructor the caller runs"})
			}
		}
	}
	return found
}

// checkGlobals allows, in library packages, the blank variable, embedded files
// and variables that no statement changes: error sentinels and tables. One
// without an initial value must not be handed out either, by address, as a
// slice or to a method, since there would be no point in it but to fill it.
func checkGlobals(t *tree) []finding {
	var found []finding
	for _, files := range t.libraryPackages() {
		uses := variableUses(t, files)
		for _, f := range files {
			for _, v := range packageVariables(f.syntax) {
				reason := v.objection(uses)
				if reason == "" {
					continue
				}
				found = append(found, finding{file: f.path, line: t.lineOf(v.name.Pos()), text: fmt.Sprintf(
					"package variable %s %s; make it a field of a type the caller constructs, or a table that nothing changes", v.name.Name, reason)})
			}
		}
	}
	return found
}

// libraryPackages groups the Go files of the layers, tests left out, by folder.
func (t *tree) libraryPackages() map[string][]*file {
	packages := map[string][]*file{}
	for _, f := range t.files {
		if _, ok := layerOf(f.dir()); ok && f.syntax != nil && !f.isTest() {
			packages[f.dir()] = append(packages[f.dir()], f)
		}
	}
	return packages
}

// A variable is one name of one package-level var declaration.
type variable struct {
	name     *ast.Ident
	spec     *ast.ValueSpec
	embedded bool
}

func packageVariables(syntax *ast.File) []variable {
	var vars []variable
	for _, decl := range syntax.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, s := range gen.Specs {
			spec := s.(*ast.ValueSpec)
			embedded := hasEmbed(gen.Doc) || hasEmbed(spec.Doc)
			for _, name := range spec.Names {
				vars = append(vars, variable{name, spec, embedded})
			}
		}
	}
	return vars
}

func hasEmbed(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// objection says why v is mutable state, or "".
func (v variable) objection(of uses) string {
	switch {
	case v.name.Name == "_" || v.embedded:
		return ""
	case of.written[v.name.Name]:
		return "is changed by the package"
	case len(v.spec.Values) == 0 && of.exposed[v.name.Name]:
		return "has no initial value and is handed out to be filled"
	case mentionsSync(v.spec):
		return "holds a lock, pool or atomic"
	}
	return ""
}

// mentionsSync reports whether type or value name something from sync or
// sync/atomic. Function literals count too: they close over what they call.
func mentionsSync(spec *ast.ValueSpec) bool {
	hit := false
	ast.Inspect(spec, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
				hit = true
			}
		}
		return !hit
	})
	return hit
}

// uses is what the statements of one package do with its variables, by name.
type uses struct {
	written map[string]bool // assigned, counted, or assigned through an index or field
	exposed map[string]bool // address taken, sliced, or a method called
}

// variableUses walks a package. Scopes come from go/types, which resolves
// names even where imports are missing or files for different platforms
// declare the same name.
func variableUses(t *tree, files []*file) uses {
	var syntax []*ast.File
	for _, f := range files {
		syntax = append(syntax, f.syntax)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImporter{}, Error: func(error) {}, FakeImportC: true}
	pkg, _ := config.Check(files[0].dir(), t.fset, syntax, &info) // errors are the compiler's to report
	mark := func(set map[string]bool, e ast.Expr) {
		id := baseIdent(e)
		if id == nil {
			return
		}
		if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == pkg.Scope() {
			set[id.Name] = true
		}
	}
	found := uses{map[string]bool{}, map[string]bool{}}
	for _, s := range syntax {
		ast.Inspect(s, func(n ast.Node) bool {
			for _, e := range writtenBy(n) {
				mark(found.written, e)
			}
			mark(found.exposed, exposedBy(n))
			return true
		})
	}
	return found
}

// writtenBy returns the operands that n itself changes.
func writtenBy(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		return []ast.Expr{n.Key, n.Value}
	case *ast.CallExpr:
		if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear" || fn.Name == "copy") {
			return n.Args[:min(1, len(n.Args))]
		}
	}
	return nil
}

// exposedBy returns the operand that n lets others change, or nil.
func exposedBy(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return n.X
		}
	case *ast.SliceExpr:
		return n.X
	case *ast.CallExpr:
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok {
			return sel.X
		}
	}
	return nil
}

// baseIdent returns x of x, x.f, x[i], x[i:j], *x and (x).
func baseIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// noImporter leaves every import unresolved: scopes are all that is needed.
type noImporter struct{}

func (noImporter) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("import %q: not loaded", path)
}
