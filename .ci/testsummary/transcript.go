package main

import (
	"fmt"
	"io"
	"strings"
)

// A transcript is what one package printed so far.
type transcript struct {
	name  string
	lines []outputLine
	ended map[string]string // test → pass, fail or skip
}

type outputLine struct {
	test string // "" for the package itself
	text string
}

func (tr *transcript) anyFailed() bool {
	for _, outcome := range tr.ended {
		if outcome == "fail" {
			return true
		}
	}
	return false
}

// end prints the package as plain "go test" does, and why tests were skipped.
func (tr *transcript) end(out io.Writer, outcome string) {
	if outcome == "fail" {
		tr.printFailures(out)
	} else {
		tr.printVerdict(out)
	}
	tr.printSkips(out)
}

// printFailures prints the output of every test that failed or never ended,
// and of the package itself.
func (tr *transcript) printFailures(out io.Writer) {
	for _, line := range tr.lines {
		if isProgress(line.text) || tr.ended[line.test] == "pass" || tr.ended[line.test] == "skip" {
			continue
		}
		io.WriteString(out, line.text)
	}
}

// printVerdict prints the line about a package that passed.
func (tr *transcript) printVerdict(out io.Writer) {
	for _, line := range tr.lines {
		if line.test == "" && (strings.HasPrefix(line.text, "ok  \t") || strings.HasPrefix(line.text, "?   \t")) {
			io.WriteString(out, line.text)
		}
	}
}

// printSkips prints each reason once, with the tests it stopped.
func (tr *transcript) printSkips(out io.Writer) {
	var reasons []string
	tests := map[string][]string{}
	said := map[string]string{}
	for _, line := range tr.lines {
		if tr.ended[line.test] != "skip" || isProgress(line.text) || strings.HasPrefix(strings.TrimSpace(line.text), "--- SKIP") {
			continue
		}
		said[line.test] = strings.TrimSpace(said[line.test] + " " + strings.TrimSpace(line.text))
	}
	for _, line := range tr.lines {
		reason, skipped := said[line.test]
		if !skipped {
			continue
		}
		delete(said, line.test)
		if tests[reason] == nil {
			reasons = append(reasons, reason)
		}
		tests[reason] = append(tests[reason], line.test)
	}
	for _, reason := range reasons {
		fmt.Fprintf(out, "SKIP\t%s\t%s (%s)\n", tr.name, reason, abbreviate(tests[reason]))
	}
}

func abbreviate(tests []string) string {
	if len(tests) <= 3 {
		return strings.Join(tests, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(tests[:2], ", "), len(tests)-2)
}

// isProgress reports whether a line only says where a test stands.
func isProgress(line string) bool {
	for _, mark := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, mark) {
			return true
		}
	}
	return false
}
