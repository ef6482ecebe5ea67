package main

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"path"
	"slices"
	"strings"
)

// architectures with assembly; every other one takes the plain Go code.
func architectures() []string { return []string{"amd64", "arm64"} }

// checkAssembly demands that under -tags noasm no assembly file and no Go
// declaration without a body is left. That a plain Go function then takes
// its place is what "go vet -tags noasm" proves.
func checkAssembly(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.isTestdata() || !builtWithNoasm(f) {
			continue
		}
		switch {
		case path.Ext(f.path) == ".s":
			found = append(found, finding{file: f.path, line: 1, text: "is built under -tags noasm; begin it with //go:build !noasm and give each function a plain Go twin in a file for noasm"})
		case f.syntax != nil:
			for _, name := range bodyless(f.syntax) {
				found = append(found, finding{file: f.path, line: t.lineOf(name.Pos()), text: fmt.Sprintf(
					"declares %s without a body and is built under -tags noasm; add //go:build !noasm and give it a plain Go twin in a file for noasm", name.Name)})
			}
		}
	}
	return found
}

// bodyless returns the functions that are declared only.
func bodyless(syntax *ast.File) []*ast.Ident {
	var names []*ast.Ident
	for _, decl := range syntax.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body == nil {
			names = append(names, fn.Name)
		}
	}
	return names
}

// builtWithNoasm reports whether f is part of a Linux build with -tags noasm
// on one of the architectures.
func builtWithNoasm(f *file) bool {
	expr := buildConstraint(f.data)
	return slices.ContainsFunc(architectures(), func(arch string) bool {
		if !nameAllows(f.base(), arch) {
			return false
		}
		return expr == nil || expr.Eval(func(tag string) bool {
			return slices.Contains([]string{"noasm", "linux", "unix", "gc", arch}, tag) || strings.HasPrefix(tag, "go1.")
		})
	})
}

// nameAllows applies the architecture in a name such as wait_arm64.s.
func nameAllows(base, arch string) bool {
	words := strings.Split(strings.TrimSuffix(base, path.Ext(base)), "_")
	last := words[len(words)-1]
	return len(words) == 1 || !slices.Contains(architectures(), last) || last == arch
}

// buildConstraint returns the //go:build line above the first line that is
// neither blank nor a comment, or nil.
func buildConstraint(data []byte) constraint.Expr {
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if constraint.IsGoBuild(line) {
			expr, err := constraint.Parse(line)
			if err != nil {
				return nil // the go command reports it
			}
			return expr
		}
		if line != "" && !strings.HasPrefix(line, "//") {
			return nil
		}
	}
	return nil
}
