package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// topLevel is everything that may lie at the root of the repository.
func topLevel() []string {
	return []string{
		"cmd", "ipc", "ring", "kernel", "proto", "docs",
		"go.mod", "go.sum", "Makefile", "README.md", "LICENSE", ".ci", ".gitignore",
	}
}

// checkLayout looks at what git tracks; one finding names one entry.
func checkLayout(t *tree) []finding {
	var found []finding
	var seen []string
	for _, name := range t.tracked {
		top, _, _ := strings.Cut(name, "/")
		if slices.Contains(topLevel(), top) || slices.Contains(seen, top) {
			continue
		}
		seen = append(seen, top)
		found = append(found, finding{file: name, line: 1, text: fmt.Sprintf(
			"the top level holds %q; move it below one of %s", top, strings.Join(topLevel(), " "))})
	}
	return found
}

// emptyNames say nothing about what is inside.
func emptyNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "const", "consts"}
}

// checkNames looks at source files in any language, at the folders above them
// and at package clauses.
func checkNames(t *tree) []finding {
	var found []finding
	var seen []string
	for _, f := range t.files {
		if f.isTestdata() || !isSource(f.path) {
			continue
		}
		if last := lastWord(f.base()); slices.Contains(emptyNames(), last) {
			found = append(found, emptyName(f.path, 1, "file", last))
		}
		for dir := f.dir(); dir != "."; dir = path.Dir(dir) {
			if name := path.Base(dir); slices.Contains(emptyNames(), name) && !slices.Contains(seen, dir) {
				seen = append(seen, dir)
				found = append(found, emptyName(f.path, 1, "folder", name))
			}
		}
		if f.syntax == nil {
			continue
		}
		if name := strings.TrimSuffix(f.syntax.Name.Name, "_test"); slices.Contains(emptyNames(), name) {
			found = append(found, emptyName(f.path, t.lineOf(f.syntax.Name.Pos()), "package", name))
		}
	}
	return found
}

func emptyName(file string, line int, what, name string) finding {
	return finding{file: file, line: line, text: fmt.Sprintf("a %s called %q; name it after what it does (reader, attach, dtype), or move its parts to where they are used", what, name)}
}

func isSource(name string) bool {
	return slices.Contains([]string{".go", ".s", ".c", ".h", ".py", ".sh", ".pml"}, path.Ext(name))
}

// lastWord returns the last word of a file's name that is neither extension
// nor a suffix with a meaning of its own: ring_util_linux_test.go gives util.
func lastWord(base string) string {
	stem := strings.ToLower(strings.TrimSuffix(base, path.Ext(base)))
	words := strings.FieldsFunc(stem, func(r rune) bool { return r == '_' || r == '-' || r == '.' })
	meaningful := []string{"test", "linux", "unsafe", "amd64", "arm64", "noasm", "asm", "other", "race", "norace"}
	for len(words) > 1 && slices.Contains(meaningful, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
