package main

import (
	"cmp"
	"fmt"
	"slices"
)

// A finding is one violation of one rule.
type finding struct {
	file string
	line int
	rule string
	text string // what is wrong; what to do
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.file, f.line, f.rule, f.text)
}

// A rule looks at a whole tree and says where it is broken. Its findings need
// not name the rule.
type rule struct {
	name string
	doc  string
	run  func(*tree) []finding
}

// rules returns every rule, in the order of the documentation.
func rules() []rule {
	return []rule{
		{"parse", "Go files parse", checkParse},
		{"layering", "imports point one way: proto <- ring <- ipc <- ipc/stage, ipc/bridge <- cmd and proto <- kernel <- ipc/stage; ring/mutation, ring/ringtest <- tests", checkLayering},
		{"dependency", "each layer imports only the outside packages it was granted; proto and ring the standard library alone", checkDependencies},
		{"unsafe", "unsafe is imported in *_unsafe.go and _test.go files only", checkUnsafe},
		{"syscall", "syscall and golang.org/x/sys/unix are imported in *_linux.go and _test.go files only", checkSyscall},
		{"layout", "the top level holds nothing but the listed entries", checkLayout},
		{"name", "no file, folder or package is called after nothing in particular", checkNames},
		{"length", fmt.Sprintf("hand-written Go files without tests have at most %d lines", maxLines), checkLength},
		{"words", "nothing is left open in a comment", checkWords},
		{"init", "no func init", checkInit},
		{"globals", "library packages hold no mutable package variables", checkGlobals},
		{"assembly", "assembly is left out under -tags noasm", checkAssembly},
		{"path", "no absolute path of one machine", checkPaths},
		{"reference", "what the pages link to, name or run is there: files, headings, make targets, tests", checkReferences},
	}
}

// check runs every rule over t and returns the findings by file and line.
func check(t *tree) []finding {
	var all []finding
	for _, r := range rules() {
		for _, f := range r.run(t) {
			f.rule = r.name
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return all
}
