// Command houselint checks the rules of this repository that no general tool
// knows: which package may import which, where unsafe and system calls may
// stand, what lies at the top level, how files are named and how long they
// grow, and whether what the pages point to is there.
//
//	houselint [-list] [DIR]
//
// DIR is the root of the checkout, the current directory by default. Each
// finding is one line:
//
//	ring/reader.go:12: unsafe: imports unsafe; move the access to reader_unsafe.go
//
// that is file and line, the rule, what is wrong and what to do. The exit code
// is 0 without findings, 1 with some, and 2 when the tree cannot be read.
// -list prints the rules instead.
//
// # How it looks
//
// The files are those git tracks, and those it would add (untracked, not
// ignored), so that a new file is checked before its first commit; the
// top-level rule looks at tracked files only. Go files are parsed one by one,
// whatever their build constraints say: a violation behind a tag or in a
// package without tests is found like any other. A tree that does not compile
// can be checked as long as it parses.
//
// # Caveats
//
// The rules for globals and assembly are syntactic: a package variable changed
// through a pointer, or a fallback that computes something else, passes.
// "go vet -tags noasm" and the tests see the second.
package main
