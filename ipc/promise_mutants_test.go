//go:build linux

package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// broken is one change of the source that breaks a promise of docs/promises.md, and the
// tests that notice it.
type broken struct {
	name, promise, file, from, to, tests string
}

// readBroken parses testdata/promises.txt: blocks of a name, a promise, a file, lines to
// take out ("-"), lines to put in ("+") and the tests to run, parted by blank lines.
func readBroken(t *testing.T) []broken {
	t.Helper()
	text, err := os.ReadFile("testdata/promises.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []broken
	for _, block := range strings.Split(string(text), "\n\n") {
		var b broken
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			key, rest, _ := strings.Cut(line, " ")
			switch key {
			case "name:":
				b.name = rest
			case "promise:":
				b.promise = rest
			case "file:":
				b.file = rest
			case "test:":
				b.tests = rest
			case "-":
				b.from += rest + "\n"
			case "+":
				b.to += rest + "\n"
			default:
				t.Fatalf("testdata/promises.txt: line %q", line)
			}
		}
		all = append(all, b)
	}
	return all
}

// apply is the source with the one run of lines that are from replaced, indented alike
// or not.
func (b broken) apply() (string, error) {
	source, err := os.ReadFile(filepath.Join("..", b.file))
	if err != nil {
		return "", err
	}
	lines, from := strings.SplitAfter(string(source), "\n"), strings.Split(strings.TrimSuffix(b.from, "\n"), "\n")
	at, found := 0, 0
	for i := range len(lines) - len(from) + 1 {
		same := true
		for j := range from {
			same = same && strings.TrimSpace(lines[i+j]) == strings.TrimSpace(from[j])
		}
		if same {
			at, found = i, found+1
		}
	}
	if found != 1 {
		return "", fmt.Errorf("%d places in %s read\n%s", found, b.file, b.from)
	}
	return strings.Join(lines[:at], "") + b.to + strings.Join(lines[at+len(from):], ""), nil
}

// Check that every change in the list still fits the source, and that the promise it
// breaks is kept by the tests that are said to notice.
func TestBrokenPromisesApply(t *testing.T) {
	page, err := os.ReadFile("../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range readBroken(t) {
		if _, err := b.apply(); err != nil {
			t.Errorf("%s: %v", b.name, err)
		}
		_, row, found := strings.Cut(string(page), "\n| "+b.promise+" |")
		row, _, _ = strings.Cut(row, "\n")
		tests, err := regexp.Compile("`Test[A-Za-z]*(" + b.tests + ")")
		if !found || err != nil || !tests.MatchString(row) {
			t.Errorf("%s: docs/promises.md names no test %q for promise %s (%v)", b.name, b.tests, b.promise, err)
		}
	}
}

// Check that the tests between processes notice each broken promise. It takes minutes
// and runs when NDRING_MUTANTS is set, to 1 or to a part of the name of those to run.
func TestBrokenPromisesAreNoticed(t *testing.T) {
	choice := os.Getenv("NDRING_MUTANTS")
	if choice == "" {
		t.Skip("takes minutes: set NDRING_MUTANTS=1")
	}
	for _, b := range readBroken(t) {
		if choice == "1" || strings.Contains(b.name, choice) {
			t.Run(b.name, func(t *testing.T) { b.mustFail(t) })
		}
	}
}

// mustFail builds the tests with the change and runs those that should notice, up to
// three times: some changes show by chance.
func (b broken) mustFail(t *testing.T) {
	t.Helper()
	changed, err := b.apply()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	source, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay"), filepath.Join(dir, "tests")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, b.file): source}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{source: changed, overlay: string(replace)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("does not build:\n%s", out)
	}
	for range 3 {
		run := exec.Command(binary, "-test.timeout", "20s", "-test.run", "Test[A-Za-z]*("+b.tests+")")
		out, err := run.CombinedOutput()
		left, _ := filepath.Glob(fmt.Sprintf("/dev/shm/ndring-ipc-%d-*", run.Process.Pid))
		for _, path := range left { // of tests that were broken off
			os.RemoveAll(path)
		}
		if bytes.Contains(out, []byte("no tests to run")) {
			t.Fatalf("no test matches %s", b.tests)
		}
		if err != nil {
			first, _, _ := bytes.Cut(out, []byte("\n"))
			t.Logf("noticed: %s", first)
			return
		}
	}
	t.Errorf("nothing is noticed by %s", b.tests)
}
