//go:build linux && amd64

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's top folder.
const root = "../.."

// mutant is one change of the ring's source that stepping must notice.
type mutant struct {
	name, file, only, from, to string
}

// readMutants parses testdata/mutations.txt: blocks of a name, a file, what to step
// if not everything, lines to take out ("-") and lines to put in ("+"), parted by blank
// lines.
func readMutants(t *testing.T) []mutant {
	t.Helper()
	text, err := os.ReadFile("testdata/mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []mutant
	for _, block := range strings.Split(string(text), "\n\n") {
		var m mutant
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			key, rest, _ := strings.Cut(line, " ")
			switch key {
			case "name:":
				m.name = rest
			case "file:":
				m.file = rest
			case "only:":
				m.only = rest
			case "-":
				m.from += rest + "\n"
			case "+":
				m.to += rest + "\n"
			}
		}
		all = append(all, m)
	}
	return all
}

// apply replaces the one run of lines that are from, indented alike or not.
func (m mutant) apply(source string) (string, bool) {
	lines := strings.SplitAfter(source, "\n")
	from := strings.SplitAfter(strings.TrimSuffix(m.from, "\n"), "\n")
	at, found := -1, 0
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
		return "", false
	}
	return strings.Join(lines[:at], "") + m.to + strings.Join(lines[at+len(from):], ""), true
}

// Check that every change in the list of mutations still fits the source.
func TestMutantsApply(t *testing.T) {
	for _, m := range readMutants(t) {
		source, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.apply(string(source)); !ok {
			t.Errorf("%s: not exactly one place in %s reads\n%s", m.name, m.file, m.from)
		}
	}
}

// Check that stepping notices each mutation: a store, bound or order changed. It takes
// minutes and runs when NDRING_MUTANTS is set, to 1 or to a part of the name of those
// to run.
func TestMutantsAreKilled(t *testing.T) {
	choice := os.Getenv("NDRING_MUTANTS")
	if choice == "" {
		t.Skip("takes minutes: set NDRING_MUTANTS=1")
	}
	needPtrace(t)
	for _, m := range readMutants(t) {
		if choice != "1" && !strings.Contains(m.name, choice) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			copyModule(t, dir)
			path := filepath.Join(dir, m.file)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed, ok := m.apply(string(source))
			if !ok {
				t.Fatal("does not apply")
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			mustNotice(t, dir, m.only)
		})
	}
}

func mustNotice(t *testing.T, dir, only string) {
	t.Helper()
	binary := filepath.Join(dir, "mutant")
	build := exec.Command("go", "build", "-o", binary, "./cmd/stepper")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("does not build:\n%s", out)
	}
	out, err := exec.Command(binary, "-only", only).CombinedOutput()
	if err == nil {
		t.Fatalf("survives:\n%s", out)
	}
	if !bytes.Contains(out, []byte("after instruction")) {
		t.Fatalf("fails, but not by a step:\n%s", out)
	}
	t.Logf("%s", out)
}

// copyModule copies what the stepper needs of its module.
func copyModule(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "cmd"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"go.mod", "go.sum", "proto", "ring", "ipc", "cmd/stepper"} {
		out, err := exec.Command("cp", "-r", filepath.Join(root, part), filepath.Join(dir, filepath.Dir(part))).CombinedOutput()
		if err != nil {
			t.Fatalf("copy %s: %v\n%s", part, err, out)
		}
	}
}
