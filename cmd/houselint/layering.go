package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A layer is a folder with everything below it, unless a longer entry claims
// that.
type layer struct {
	dir      string
	below    []string // layers it may import besides itself
	outside  []string // modules and packages from elsewhere; a module grants all its packages
	withheld []string // standard packages it must do without
	tests    bool     // that serves tests: those of every layer may import it, and nothing else
}

// layers is the house as docs/architecture describes it, lowest first. cmd may
// import everything and therefore is not in it.
func layers() []layer {
	kernelless := []string{"syscall", "net", "os/exec"}
	const sys, mapping = "golang.org/x/sys", "github.com/edsrzf/mmap-go"
	return []layer{
		{dir: "proto", withheld: kernelless},
		{dir: "ring", below: []string{"proto"}, withheld: kernelless},
		{dir: "ring/mutation", outside: []string{sys}, tests: true},
		{dir: "ring/ringtest", below: []string{"proto", "ring"}, withheld: kernelless, tests: true},
		{dir: "kernel", below: []string{"proto"}, outside: []string{"golang.org/x/sys/cpu"}, withheld: kernelless},
		{dir: "ipc", below: []string{"proto", "ring"}, outside: []string{sys, mapping}},
		{dir: "ipc/stage", below: []string{"proto", "ring", "kernel", "ipc"}, outside: []string{sys}},
		{dir: "ipc/bridge", below: []string{"proto", "ring", "ipc"}, outside: []string{sys}},
	}
}

// layerOf returns the layer that p, a path within the repository, belongs to:
// the longest entry wins.
func layerOf(p string) (layer, bool) {
	best, ok := layer{}, false
	for _, l := range layers() {
		if within(p, l.dir) && len(l.dir) > len(best.dir) {
			best, ok = l, true
		}
	}
	return best, ok
}

// checkLayering looks at imports inside the module, of tests too. Only an external
// test package may look at neighbours, as a program that puts both together would:
// nothing can import it. It stays below cmd. What serves tests is kept out of programs,
// too.
func checkLayering(t *tree) []finding {
	var found []finding
	t.imports(anyFile, func(spec importSpec) {
		if !within(spec.path, t.module) {
			return
		}
		target := strings.TrimPrefix(strings.TrimPrefix(spec.path, t.module), "/")
		from, layered := layerOf(spec.file.dir())
		to, ok := layerOf(target)
		if to.tests && from.dir != to.dir {
			if !spec.file.isTest() {
				found = append(found, finding{file: spec.file.path, line: spec.line, text: fmt.Sprintf(
					"imports %s, which serves tests only; do it in a file named *_test.go", target)})
			}
			return
		}
		if !layered {
			return
		}
		if ok && (to.dir == from.dir || slices.Contains(from.below, to.dir) || spec.file.isExternalTest()) {
			return
		}
		found = append(found, finding{file: spec.file.path, line: spec.line, text: fmt.Sprintf(
			"%s imports %s but may import only %s; move the code to the layer that may, or pass in a value or function from above",
			from.dir, cmp.Or(target, "the module root"), strings.Join(append([]string{from.dir}, from.below...), ", "))})
	})
	return found
}

// isExternalTest reports whether f belongs to a package of tests beside the one it
// tests.
func (f *file) isExternalTest() bool {
	return strings.HasSuffix(f.path, "_test.go") && strings.HasSuffix(f.syntax.Name.Name, "_test")
}

// checkDependencies looks at imports from outside the module. Tests may use
// what they like: it does not reach those who import the package.
func checkDependencies(t *tree) []finding {
	var found []finding
	t.imports(notTest, func(spec importSpec) {
		from, ok := layerOf(spec.file.dir())
		if !ok || within(spec.path, t.module) {
			return
		}
		complain := func(format string, args ...any) {
			found = append(found, finding{file: spec.file.path, line: spec.line, text: fmt.Sprintf(format, args...)})
		}
		switch {
		case spec.path == "C":
			complain("%s uses cgo; write it in Go, so that a machine without a C compiler builds the same binary", from.dir)
		case isStandard(spec.path):
			if slices.ContainsFunc(from.withheld, func(p string) bool { return within(spec.path, p) }) {
				complain("%s imports %s, but knows nothing of the operating system; do it in ipc", from.dir, spec.path)
			}
		case !slices.ContainsFunc(from.outside, func(p string) bool { return within(spec.path, p) }):
			complain("%s imports %s but may import only the standard library%s; do without, or do it in ipc or cmd",
				from.dir, spec.path, granted(from.outside))
		}
	})
	return found
}

func granted(outside []string) string {
	if len(outside) == 0 {
		return ""
	}
	return " and " + strings.Join(outside, ", ")
}

// isStandard reports whether an import path belongs to the standard library,
// whose first element never holds a dot.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}
