package mutation

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is one change of the source.
type Mutant struct {
	Name string
	File string            // the source file it changes
	Keys map[string]string // what else its block says

	from, to []string // lines
}

// Read parses a list. Its files are named relative to root; keys are what a block may
// hold besides name, file and lines.
func Read(list, root string, keys ...string) ([]Mutant, error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	var all []Mutant
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		m, err := parse(block, keys)
		if err != nil {
			return nil, fmt.Errorf("%s: mutant %q: %w", list, m.Name, err)
		}
		m.File = filepath.Join(root, m.File)
		all = append(all, m)
	}
	return all, nil
}

func parse(block string, keys []string) (Mutant, error) {
	m := Mutant{Keys: map[string]string{}}
	for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		key, named := strings.CutSuffix(mark, ":")
		switch {
		case mark == "-":
			m.from = append(m.from, rest+"\n")
		case mark == "+":
			m.to = append(m.to, rest+"\n")
		case mark == "name:":
			m.Name = rest
		case mark == "file:":
			m.File = rest
		case named && slices.Contains(keys, key):
			m.Keys[key] = rest
		default:
			return m, fmt.Errorf("line %q is none of -, +, name, file, %s", line, strings.Join(keys, ", "))
		}
	}
	if m.Name == "" || m.File == "" || len(m.from) == 0 {
		return m, fmt.Errorf("needs a name, a file and a line to take out:\n%s", block)
	}
	return m, nil
}

// Apply returns the text of the file with the change. The place must be there once.
func (m Mutant) Apply() (string, error) {
	source, err := os.ReadFile(m.File)
	if err != nil {
		return "", fmt.Errorf("mutant %q: %w", m.Name, err)
	}
	lines := strings.SplitAfter(string(source), "\n")
	var places []int
	for i := range len(lines) - len(m.from) + 1 {
		if slices.EqualFunc(lines[i:i+len(m.from)], m.from, alike) {
			places = append(places, i)
		}
	}
	if len(places) != 1 {
		return "", fmt.Errorf("mutant %q: %d places in %s read as follows, it takes exactly one:\n%s",
			m.Name, len(places), m.File, strings.Join(m.from, ""))
	}
	at := places[0]
	return strings.Join(slices.Concat(lines[:at], m.to, lines[at+len(m.from):]), ""), nil
}

// alike reports whether two lines differ in nothing but indentation.
func alike(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }
