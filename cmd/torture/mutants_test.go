//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is one change of the shipped source that the laboratory must notice.
type mutant struct {
	name, file, from, to, rooms, finds string
}

// readMutants parses testdata/mutations.txt: blocks of a name, a file, lines to take
// out ("-"), lines to put in ("+"), the rooms to run and the sort of fault to be found.
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
			case "rooms:":
				m.rooms = rest
			case "finds:":
				m.finds = rest
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

// apply replaces, in its file, the one run of lines that are from, indented alike or
// not.
func (m mutant) apply(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source := string(text)
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
		t.Fatalf("%s: %d places in %s read\n%s", m.name, found, m.file, m.from)
	}
	return strings.Join(lines[:at], "") + m.to + strings.Join(lines[at+len(from):], "")
}

// build returns the path of a laboratory with the change in it.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(filepath.Join("..", "..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(dir, "changed.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{changed: m.apply(t), filepath.Join(dir, "overlay.json"): string(overlay)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "torture")
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// Check that every change in the list of mutations still fits the source.
func TestMutantsApply(t *testing.T) {
	for _, m := range readMutants(t) {
		m.apply(t)
	}
}

// Check that the laboratory notices changes of the shipped code, and calls the fault
// by its name. It takes minutes and runs when NDRING_MUTANTS is set, to 1 or to a part
// of the name of those to run.
func TestMutantsAreKilled(t *testing.T) {
	choice := os.Getenv("NDRING_MUTANTS")
	if choice == "" {
		t.Skip("takes minutes: set NDRING_MUTANTS=1")
	}
	for _, m := range readMutants(t) {
		if choice != "1" && !strings.Contains(m.name, choice) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			out, err := exec.Command(m.build(t), "-duration", "8s", "-stuck", "5s", "-rooms", m.rooms).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "\nFAULT "+m.finds+": ") {
				t.Errorf("no fault of the sort %q: %v\n%s", m.finds, err, out)
			}
		})
	}
}
