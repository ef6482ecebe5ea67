package ring_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is one change of the package's source, and how it is noticed.
type mutant struct {
	name, file, from, to string

	tests    string // that fail
	fails    string // entry of docs/model/run: the mutant of a model that fails; tests cannot, on this processor
	verifies string // entry of docs/model/run: the model that verifies without; seq-cst makes up for what is taken out
	argued   string // why neither a test nor a model notices
}

// readMutants parses testdata/mutations.txt: blocks of a name, a file, lines to take
// out ("-"), lines to put in ("+") and the tests to run, parted by blank lines.
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
			case "test:":
				m.tests = rest
			case "fails:":
				m.fails = rest
			case "verifies:":
				m.verifies = rest
			case "argued:":
				m.argued = rest
			case "-":
				m.from += rest + "\n"
			case "+":
				m.to += rest + "\n"
			}
		}
		if m.name != "" {
			all = append(all, m)
		}
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
		source, err := os.ReadFile(m.file)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.apply(string(source)); !ok {
			t.Errorf("%s: not exactly one place in %s reads\n%s", m.name, m.file, m.from)
		}
	}
}

// Check that each mutation says how it is noticed, and that what it names of the models
// is checked there.
func TestMutantsAreAccountedFor(t *testing.T) {
	checked, err := os.ReadFile("../docs/model/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range readMutants(t) {
		ways := 0
		for _, way := range []string{m.tests, m.fails, m.verifies, m.argued} {
			if way != "" {
				ways++
			}
		}
		if ways != 1 {
			t.Errorf("%s: noticed in %d ways", m.name, ways)
		}
		if entry := m.fails + m.verifies; entry != "" && !bytes.Contains(checked, []byte("\n"+entry+"\n")) {
			t.Errorf("%s: docs/model/run does not check %s", m.name, entry)
		}
	}
}

// Check that the tests notice each mutation: a fence, bound, check or store taken out.
// It takes minutes and runs when NDRING_MUTANTS is set, to 1 or to a part of the name
// of those to run.
func TestMutantsAreKilled(t *testing.T) {
	choice := os.Getenv("NDRING_MUTANTS")
	if choice == "" {
		t.Skip("takes minutes: set NDRING_MUTANTS=1")
	}
	for _, m := range readMutants(t) {
		if m.tests == "" || choice != "1" && !strings.Contains(m.name, choice) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			copyModule(t, dir)
			path := filepath.Join(dir, "ring", m.file)
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
			m.mustFail(t, dir)
		})
	}
}

func (m mutant) mustFail(t *testing.T, dir string) {
	t.Helper()
	binary := filepath.Join(dir, "mutant")
	build := exec.Command("go", "test", "-c", "-o", binary, "./ring")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("does not build:\n%s", out)
	}
	for range 3 {
		run := exec.Command(binary, "-test.timeout", "20s", "-test.run", m.tests)
		run.Dir = filepath.Join(dir, "ring")
		out, err := run.CombinedOutput()
		if bytes.Contains(out, []byte("no tests to run")) {
			t.Fatalf("no test matches %s", m.tests)
		}
		if err != nil {
			first, _, _ := bytes.Cut(out, []byte("\n"))
			t.Logf("killed: %s", first)
			return
		}
	}
	t.Errorf("survives %s", m.tests)
}

// copyModule copies what this package needs of its module.
func copyModule(t *testing.T, dir string) {
	t.Helper()
	for _, part := range []string{"go.mod", "go.sum", "proto", "ring"} {
		out, err := exec.Command("cp", "-r", filepath.Join("..", part), dir).CombinedOutput()
		if err != nil {
			t.Fatalf("copy %s: %v\n%s", part, err, out)
		}
	}
}
