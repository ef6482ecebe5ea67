//go:build linux

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// clientsPage is the page that shows clients to people.
func clientsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// snippet is the first block of a language on the page that holds part.
func snippet(t *testing.T, language, part string) string {
	t.Helper()
	for _, block := range strings.Split(clientsPage(t), "```"+language+"\n")[1:] {
		if code, _, _ := strings.Cut(block, "```"); strings.Contains(code, part) {
			return code
		}
	}
	t.Fatalf("docs/clients.md has no block in %s with %q", language, part)
	return ""
}

// Check that the page's table of element types has the codes and names of the source.
func TestDocumentedTypes(t *testing.T) {
	page := clientsPage(t)
	for d := proto.F64; d.Valid(); d++ {
		if row := fmt.Sprintf("\n| %d | %v | `%s` |", uint8(d), d, longName(d)); !strings.Contains(page, row) {
			t.Errorf("docs/clients.md has no row %q", row)
		}
	}
}

// longName is NumPy's name of an element type.
func longName(d proto.DType) string {
	for _, name := range []string{"float", "int", "uint", "complex", "bool"} {
		for _, bits := range []string{"", "8", "16", "32", "64", "128"} {
			if got, err := proto.ParseDType(name + bits); err == nil && got == d {
				return name + bits
			}
		}
	}
	return "?"
}

// documented is a consumer on the page and how it is run.
type documented struct {
	language, part string
	command        func(t *testing.T, code, folder string) []string
}

func documentedConsumers() []documented {
	return []documented{
		{"go", "ipc.Dial(", func(t *testing.T, code, folder string) []string {
			source, program := filepath.Join(folder, "page.go"), filepath.Join(folder, "page")
			code = "package main\nimport (\"context\"; \"fmt\"; \"log\"; \"github.com/ndring/ndring/ipc\")\n" + code
			if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return []string{program}
		}},
		{"python", "ndring.Consumer(", func(t *testing.T, code, _ string) []string {
			return []string{"env", "PYTHONPATH=" + pythonFolder, interpreter(t), "-B", "-c", code}
		}},
		{"c", "ndring_reader_open", func(t *testing.T, code, folder string) []string {
			need(t, "gcc", "gcc")
			source, program := filepath.Join(folder, "page.c"), filepath.Join(folder, "page")
			if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			header := filepath.Join("..", "..", "..", "proto", "c")
			if out, err := exec.Command("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", header, "-o", program, source).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return []string{program}
		}},
	}
}

// Check that the consumers on the page are at most fifteen lines and read a ring, and
// fail when its writer dies and none comes back.
func TestDocumentedConsumers(t *testing.T) {
	for _, c := range documentedConsumers() {
		t.Run(c.language, func(t *testing.T) {
			code := snippet(t, c.language, c.part)
			if n := strings.Count(code, "\n") - strings.Count(code, "\n\n"); n > 15 {
				t.Errorf("%d lines", n)
			}
			dir := privateDir(t)
			t.Setenv("NDRING_DIR", dir)
			r := start(t, c.command(t, code, t.TempDir()))
			start(t, goRole("producer")(t), "x", "--dir", dir, "--until", "3").succeed(t)
			if r.succeed(t); strings.Count(r.out.String(), "\n") != 3 || !strings.HasPrefix(r.out.String(), "0 ") {
				t.Errorf("it printed %q", &r.out)
			}
			r = start(t, r.cmd.Args)
			w := start(t, goRole("producer")(t), "x", "--dir", dir, "--until", "1000000", "--pause-ms", "1")
			awaitServed(t, w, dir)
			awaitReaders(t, dir, "x", 1)
			if err := w.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			w.killed(t)
			if r.await(t); r.cmd.ProcessState.Success() || r.err.Len() == 0 {
				t.Errorf("%v when the writer was lost, and said %q", r.cmd.ProcessState, &r.err)
			}
			if err := ipc.Remove(dir, "x"); err != nil {
				t.Error(err)
			}
		})
	}
}
