package c

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A compiler is one way to build the header, without a warning.
type compiler struct {
	name, command, debianPackage string
	arguments                    []string
}

func compilers() []compiler {
	strict := []string{
		"-O1", "-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow",
		"-Wcast-align", "-Wcast-qual", "-Wundef", "-Wformat=2",
	}
	with := func(more ...string) []string { return append(more, strict...) }
	return []compiler{
		{"gcc", "gcc", "gcc", with("-std=c11")},
		{"clang", "clang", "clang", with("-std=c11")},
		{"g++", "g++", "g++", with("-x", "c++", "-std=c++17")},
		{"clang++", "clang++", "clang", with("-x", "c++", "-std=c++17")},
	}
}

// A user is a compiler as picky users of the header call it.
func users() []compiler {
	var all []compiler
	for _, c := range compilers() {
		more := []string{"-Wstrict-prototypes", "-Wmissing-prototypes"}
		if strings.HasSuffix(c.command, "++") {
			more = []string{"-Wold-style-cast", "-fno-exceptions", "-fno-rtti"}
			later := c
			later.name += " 20"
			later.arguments = append(append([]string{}, c.arguments...), "-std=c++20")
			all = append(all, later)
		}
		c.arguments = append(c.arguments, more...)
		all = append(all, c)
	}
	return all
}

// unavailable skips the test, or fails it where everything is required.
func unavailable(t *testing.T, what, debianPackage string) {
	t.Helper()
	missing := what + " is missing: apt-get install " + debianPackage
	if os.Getenv("NDRING_REQUIRE_ALL") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// need skips the test if a tool is missing.
func need(t *testing.T, tool, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		unavailable(t, tool, debianPackage)
	}
}

// build compiles sources and returns the program.
func build(t *testing.T, c compiler, sources []string, more ...string) string {
	t.Helper()
	need(t, c.command, c.debianPackage)
	program := filepath.Join(t.TempDir(), "program")
	arguments := append(append(append([]string{}, c.arguments...), more...), "-o", program)
	out, err := exec.Command(c.command, append(arguments, sources...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", c.command, sources, err, out)
	}
	return program
}

// check compiles source without making a program.
func check(t *testing.T, c compiler, source string, more ...string) {
	t.Helper()
	need(t, c.command, c.debianPackage)
	arguments := append(append([]string{"-fsyntax-only"}, c.arguments...), more...)
	if out, err := exec.Command(c.command, append(arguments, source)...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", c.command, source, err, out)
	}
}

// run runs a program in a ring directory of its own, in which it must leave nothing. What
// it starts ends with it or fails by itself; two minutes are far more than any takes.
func run(t *testing.T, program string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ndring-c-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the ring directory: %v, %v", left, err)
	}
}
