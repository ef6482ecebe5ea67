package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The lines between which a document holds the tables of the last run.
const (
	tablesBegin = "<!-- peerbench: tables of the last run -->"
	tablesEnd   = "<!-- peerbench: end of the tables -->"
)

var errNoPlace = errors.New("no place for the tables")

// updateMarkdown replaces what lies between the two lines of the document.
func (r report) updateMarkdown(path string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the document for the tables: %w", err)
	}
	updated, err := spliceTables(document, r.markdown())
	if err != nil {
		return fmt.Errorf("update %q: %w", path, err)
	}
	if err := os.WriteFile(path, updated, 0o644); err != nil {
		return fmt.Errorf("write the document with the tables: %w", err)
	}
	return nil
}

// checkMarkdown says whether updateMarkdown can do it, before anything is measured.
func checkMarkdown(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the document for the tables: %w", err)
	}
	if !info.Mode().IsRegular() { // a device may have no end
		return fmt.Errorf("update %q: not a regular file", path)
	}
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the document for the tables: %w", err)
	}
	if _, err := spliceTables(document, ""); err != nil {
		return fmt.Errorf("update %q: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open the document for the tables: %w", err)
	}
	return f.Close()
}

// spliceTables is document with tables between its two lines; without both of
// them, in this order, it returns errNoPlace.
func spliceTables(document []byte, tables string) ([]byte, error) {
	before, rest, found := bytes.Cut(document, []byte(tablesBegin+"\n"))
	_, after, foundEnd := bytes.Cut(rest, []byte(tablesEnd+"\n"))
	if !found || !foundEnd {
		return nil, fmt.Errorf("%w: the document needs the lines %q and %q", errNoPlace, tablesBegin, tablesEnd)
	}
	return bytes.Join([][]byte{before, []byte(tablesBegin + "\n" + tables + tablesEnd + "\n"), after}, nil), nil
}

// markdown is what stands between the lines.
func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s.\n\nMeasured: %s.\n", r.conditions(), r.versionLine())
	for _, t := range r.tables() {
		fmt.Fprintf(&b, "\n%s:\n\n", t.title)
		fmt.Fprintf(&b, "| %s |\n", strings.Join(t.head, " | "))
		fmt.Fprintf(&b, "|---%s|\n", strings.Repeat("|---:", len(t.head)-1))
		for _, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	for _, s := range r.skipped {
		fmt.Fprintf(&b, "\nLeft out: %s (%s).\n", s.Figure, s.Reason)
	}
	return b.String() + "\n"
}
