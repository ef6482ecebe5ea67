package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// maxLines is where a file stops being one role.
const maxLines = 400

// checkLength counts the lines of Go files written by hand.
func checkLength(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.syntax == nil || f.isTest() || ast.IsGenerated(f.syntax) {
			continue
		}
		if n := bytes.Count(f.data, []byte("\n")); n > maxLines {
			found = append(found, finding{file: f.path, line: maxLines + 1, text: fmt.Sprintf(
				"%d lines, %d are the limit; give each role a file of its own", n, maxLines)})
		}
	}
	return found
}

// checkWords finds notes about work left undone, in any text file. The words
// are put together here so that this file passes.
func checkWords(t *tree) []finding {
	words := regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"}, "|") + `)\b`)
	return grep(t, words, func(f *file) bool { return !f.isTestdata() && f.base() != "go.sum" },
		"says %s; do it now, or describe the limit as it is")
}

// checkPaths finds the home or work folders of a machine, in any text file,
// and the path of this very checkout.
func checkPaths(t *tree) []finding {
	// The character before the slash must not make it the middle of a longer
	// path, of a URL, or of something below a variable.
	const before = `(?:^|[^\w./~$})>*-])`
	homes := []string{"/wo" + "rk/", "/ro" + "ot/", "/ho" + `me/[\w.-]+/`, "/Us" + `ers/[\w.-]+/`}
	if depth := strings.Count(t.root, "/"); depth > 1 && path.IsAbs(t.root) {
		homes = append(homes, regexp.QuoteMeta(t.root)+`(?:/|\b)`)
	}
	pattern := regexp.MustCompile(before + `(` + strings.Join(homes, "|") + `)`)
	return grep(t, pattern, func(*file) bool { return true },
		"names %s, which only this machine has; use a relative path, a variable or a temporary folder")
}

// grep returns a finding for each line of a text file that matches; the first
// group of the pattern fills the %s of text.
func grep(t *tree, pattern *regexp.Regexp, keep func(*file) bool, text string) []finding {
	var found []finding
	for _, f := range t.files {
		if !keep(f) || !f.isText() {
			continue
		}
		for i, line := range bytes.Split(f.data, []byte("\n")) {
			if m := pattern.FindSubmatch(line); m != nil {
				found = append(found, finding{file: f.path, line: i + 1, text: fmt.Sprintf(text, m[1])})
			}
		}
	}
	return found
}
