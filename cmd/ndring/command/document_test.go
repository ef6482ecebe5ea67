package command

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// pages are the texts that show people what to type.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(filepath.ToSlash(name), "../../../")] = string(text)
		}
	}
	if len(texts) < 5 {
		t.Fatalf("found %d pages", len(texts))
	}
	return texts
}

// flagsOf are the flags of each subcommand, and under "" those of all.
func flagsOf(app *cli.App) map[string][]string {
	flags := map[string][]string{"help": nil}
	for _, c := range app.Commands {
		flags[c.Name] = nil
		for _, f := range c.Flags {
			flags[c.Name] = append(flags[c.Name], f.Names()...)
			flags[""] = append(flags[""], f.Names()...)
		}
	}
	return flags
}

// Check that every subcommand and flag that a page shows exists: behind the name of a
// subcommand among its own flags, by itself among those of any.
func TestDocumentedFlags(t *testing.T) {
	flags := flagsOf(newApp(strings.NewReader(""), io.Discard, io.Discard))
	lone := regexp.MustCompile("`--([a-z][a-z-]*)")
	for page, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			for _, m := range lone.FindAllStringSubmatch(line, -1) {
				if !slices.Contains(flags[""], m[1]) {
					t.Errorf("%s:%d: no command has a flag --%s", page, i+1, m[1])
				}
			}
			for _, code := range codeOf(line) {
				if wrong := unknown(code, flags); wrong != "" {
					t.Errorf("%s:%d: %s", page, i+1, wrong)
				}
			}
		}
	}
}

// unknown says what of a command line of ndring does not exist.
func unknown(code string, flags map[string][]string) string {
	command := regexp.MustCompile(`(?:^|[ /])ndring ([a-z]+)([^#|;&]*)`).FindStringSubmatch(code)
	if command == nil {
		return ""
	}
	known, ok := flags[command[1]]
	if !ok {
		return "there is no ndring " + command[1]
	}
	for _, m := range regexp.MustCompile(`\s--?([a-z][a-z-]*)`).FindAllStringSubmatch(command[2], -1) {
		if !slices.Contains(known, m[1]) {
			return "ndring " + command[1] + " has no flag --" + m[1]
		}
	}
	return ""
}

// codeOf is what of a line is a command: all of an indented one, else what stands
// between backticks.
func codeOf(line string) []string {
	if code, ok := strings.CutPrefix(line, "    "); ok {
		return []string{code}
	}
	var spans []string
	for i, part := range strings.Split(line, "`") {
		if i%2 == 1 {
			spans = append(spans, part)
		}
	}
	return spans
}
