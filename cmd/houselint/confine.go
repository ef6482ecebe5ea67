package main

import (
	"fmt"
	"strings"
)

// checkUnsafe keeps unsafe where a reviewer looks for it.
func checkUnsafe(t *tree) []finding {
	return confine(t, "_unsafe.go", "unsafe")
}

// checkSyscall keeps system calls where another operating system would be
// added.
func checkSyscall(t *tree) []finding {
	return confine(t, "_linux.go", "syscall", "golang.org/x/sys/unix")
}

// confine demands that files importing one of the packages end in suffix or
// are tests.
func confine(t *tree, suffix string, packages ...string) []finding {
	var found []finding
	t.imports(notTest, func(spec importSpec) {
		if strings.HasSuffix(spec.file.path, suffix) {
			return
		}
		for _, p := range packages {
			if spec.path == p {
				found = append(found, finding{file: spec.file.path, line: spec.line, text: fmt.Sprintf(
					"imports %s; move what needs it to a file named *%s", p, suffix)})
			}
		}
	})
	return found
}
