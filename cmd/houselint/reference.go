package main

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkReferences follows what the pages point to: links and their anchors,
// paths of this repository, make targets, and the tests and benchmarks that a
// command beside a figure runs. Paths and commands count in code only.
func checkReferences(t *tree) []finding {
	r := newReferences(t)
	var found []finding
	for _, f := range t.files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		fenced := false
		for i, line := range strings.Split(string(f.data), "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			for _, text := range r.broken(f, line, fenced) {
				found = append(found, finding{file: f.path, line: i + 1, text: text})
			}
		}
	}
	return found
}

// references is what there is to point to.
type references struct {
	t       *tree
	paths   map[string]bool // files and folders
	targets map[string]bool // of the Makefile; nil without one
}

func newReferences(t *tree) *references {
	r := &references{t: t, paths: map[string]bool{}}
	for _, f := range t.files {
		for p := f.path; p != "."; p = path.Dir(p) {
			r.paths[p] = true
		}
		if f.path != "Makefile" {
			continue
		}
		r.targets = map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^([\w-]+):`).FindAllSubmatch(f.data, -1) {
			r.targets[string(m[1])] = true
		}
	}
	return r
}

// broken says what a line of a page points to that is not there.
func (r *references) broken(f *file, line string, fenced bool) []string {
	var texts []string
	if !fenced {
		texts = r.deadLinks(f, line)
	}
	for _, code := range codeOf(line, fenced) {
		texts = slices.Concat(texts, r.deadPaths(f, code), r.deadTargets(code), r.deadTests(code))
	}
	return texts
}

// codeOf is what of a line is code: all of it in a block, else what stands
// between backticks.
func codeOf(line string, fenced bool) []string {
	if fenced || strings.HasPrefix(line, "    ") {
		return []string{line}
	}
	var spans []string
	for i, part := range strings.Split(line, "`") {
		if i%2 == 1 {
			spans = append(spans, strings.ReplaceAll(part, `\|`, "|"))
		}
	}
	return spans
}

// deadLinks follows links within the repository.
func (r *references) deadLinks(f *file, line string) []string {
	var texts []string
	for _, m := range regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`).FindAllStringSubmatch(line, -1) {
		target, anchor := f.path, m[2]
		if m[1] != "" {
			target = path.Join(f.dir(), m[1])
		}
		if !r.paths[target] {
			texts = append(texts, fmt.Sprintf("links to %q, which is not there; name the file as it is called now", target))
		} else if anchor != "" && !slices.Contains(r.anchors(target), anchor) {
			texts = append(texts, fmt.Sprintf("links to #%s, a heading that %s does not have; name one of its headings", anchor, target))
		}
	}
	return texts
}

// anchors are the names under which the headings of a page can be reached.
func (r *references) anchors(page string) []string {
	var names []string
	for _, f := range r.t.files {
		if f.path != page {
			continue
		}
		for _, line := range bytes.Split(f.data, []byte("\n")) {
			if title := bytes.TrimLeft(line, "#"); len(title) < len(line) {
				name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(string(bytes.TrimSpace(title))), "")
				names = append(names, strings.ReplaceAll(name, " ", "-"))
			}
		}
	}
	return names
}

// deadPaths looks for words that begin with a folder of the top level, in the
// repository or beside the page.
func (r *references) deadPaths(f *file, code string) []string {
	words := regexp.MustCompile(`(?:^|[\s(="'])(?:\./)?((?:cmd|ipc|ring|kernel|proto|docs|\.ci)/[\w./-]*\w)`)
	var texts []string
	for _, m := range words.FindAllStringSubmatch(code, -1) {
		p := strings.TrimSuffix(m[1], "/...")
		if !r.paths[p] && !r.paths[path.Join(f.dir(), p)] {
			texts = append(texts, fmt.Sprintf("names %q, which is not there; name the file or folder as it is called now", p))
		}
	}
	return texts
}

// deadTargets looks for make at the beginning of a command.
func (r *references) deadTargets(code string) []string {
	m := regexp.MustCompile(`^\s*make((?: +[a-z][a-z-]*)+)(?: +[A-Z#].*)?\s*$`).FindStringSubmatch(code)
	if m == nil || r.targets == nil {
		return nil
	}
	var texts []string
	for _, target := range strings.Fields(m[1]) {
		if !r.targets[target] {
			texts = append(texts, fmt.Sprintf("runs make %s, and there is no such target; make help lists those there are", target))
		}
	}
	return texts
}

// deadTests looks for a test or benchmark that a go test command selects in the
// packages it names. A selection without a letter, or xxx, means none.
func (r *references) deadTests(code string) []string {
	_, command, ok := strings.Cut(code, "go test ")
	if !ok {
		return nil
	}
	var folders []string
	for _, m := range regexp.MustCompile(`\./([\w./-]+)`).FindAllStringSubmatch(command, -1) {
		folders = append(folders, m[1])
	}
	var texts []string
	for _, m := range regexp.MustCompile(`-(run|bench)[ =]+(?:'([^']*)'|(\S+))`).FindAllStringSubmatch(command, -1) {
		selected, _, _ := strings.Cut(m[2]+m[3], "/")
		if selected == "xxx" || !regexp.MustCompile(`[A-Za-z]`).MatchString(selected) {
			continue
		}
		if expression, err := regexp.Compile(selected); err != nil || !r.tested(folders, map[string]string{"run": "Test", "bench": "Benchmark"}[m[1]], expression) {
			texts = append(texts, fmt.Sprintf("selects -%s %s, which nothing in %s is called; name a test that is there", m[1], selected, strings.Join(folders, " ")))
		}
	}
	return texts
}

// tested reports whether a test below one of the folders has such a name.
func (r *references) tested(folders []string, prefix string, expression *regexp.Regexp) bool {
	functions := regexp.MustCompile(`(?m)^func (` + prefix + `\w*)\(`)
	for _, f := range r.t.files {
		below := func(folder string) bool {
			parent, all := strings.CutSuffix(folder, "/...")
			return f.dir() == folder || all && within(f.dir(), parent)
		}
		if !f.isTest() || !slices.ContainsFunc(folders, below) {
			continue
		}
		for _, m := range functions.FindAllSubmatch(f.data, -1) {
			if expression.Match(m[1]) {
				return true
			}
		}
	}
	return false
}
