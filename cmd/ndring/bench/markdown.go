package bench

import (
	"bytes"
	"fmt"
	"os"
)

// The table in a Markdown file stands between these lines.
const (
	tableBegin = "<!-- ndring bench: begin -->\n"
	tableEnd   = "<!-- ndring bench: end -->\n"
)

// UpdateFile writes the report as text between the two marker lines of a
// Markdown file and leaves the rest as it is.
func (r Report) UpdateFile(name string) error {
	before, after, err := aroundTable(name)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	text.Write(before)
	text.WriteString(tableBegin + "```text\n")
	if err := r.WriteText(&text); err != nil {
		return err
	}
	text.WriteString("```\n" + tableEnd)
	text.Write(after)
	if err := os.WriteFile(name, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("update the table: %w", err)
	}
	return nil
}

// CheckFile tells whether UpdateFile can read the file, write it and find its place
// in it.
func CheckFile(name string) error {
	if _, _, err := aroundTable(name); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("update the table: %w", err)
	}
	return f.Close()
}

// aroundTable is what stands before the first marker line of a file and behind the
// second.
func aroundTable(name string) (before, after []byte, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, fmt.Errorf("update the table: %w", err)
	}
	if !info.Mode().IsRegular() { // a device may have no end
		return nil, nil, fmt.Errorf("update the table of %q: not a regular file", name)
	}
	old, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("update the table: %w", err)
	}
	before, rest, began := bytes.Cut(old, []byte(tableBegin))
	_, after, ended := bytes.Cut(rest, []byte(tableEnd))
	if !began || !ended {
		return nil, nil, fmt.Errorf("update the table of %q: it needs the lines %q and %q", name, tableBegin, tableEnd)
	}
	return before, after, nil
}
