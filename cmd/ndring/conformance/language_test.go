//go:build linux

package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// A language is a producer and a consumer as commands. Both functions return what
// stands in front of the ring's name, or skip the test if tools are missing.
type language struct {
	name     string
	producer func(t testing.TB) []string
	consumer func(t testing.TB) []string
	wakes    []string // wake modes of its consumer
	prompt   bool     // its producer rings right behind a commit, so that a rescue is a lost wake-up
}

func languages() []language {
	return []language{
		{"go", goRole("producer"), goRole("consumer"), []string{"park", "stream"}, true},
		{"c", cExample("producer"), cExample("consumer"), []string{"park", "stream"}, true},
		{"python", pythonExample("producer"), pythonExample("consumer"), []string{"park", "stream"}, false},
	}
}

// goRole is this test binary in another role.
func goRole(role string) func(testing.TB) []string {
	return func(testing.TB) []string { return []string{os.Args[0], roleMark, role} }
}

// cExample is a program of proto/c/examples.
func cExample(name string) func(testing.TB) []string {
	return func(t testing.TB) []string {
		t.Helper()
		return []string{filepath.Join(buildC(t), name)}
	}
}

// compiled is the folder of the C programs, built once.
var compiled struct {
	once sync.Once
	dir  string
	said string
	err  error
}

func buildC(t testing.TB) string {
	t.Helper()
	need(t, "gcc", "gcc")
	compiled.once.Do(func() {
		if compiled.dir, compiled.err = os.MkdirTemp("", "ndring-conformance-"); compiled.err != nil {
			return
		}
		for _, name := range []string{"producer", "consumer"} {
			source := filepath.Join("..", "..", "..", "proto", "c", "examples", name+".c")
			out, err := exec.Command("gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic",
				"-o", filepath.Join(compiled.dir, name), source).CombinedOutput()
			if err != nil {
				compiled.said, compiled.err = string(out), err
				return
			}
		}
	})
	if compiled.err != nil {
		t.Fatalf("build C examples: %v\n%s", compiled.err, compiled.said)
	}
	return compiled.dir
}

// need skips the test if a tool is missing.
func need(t testing.TB, tool, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	missing := tool + " is missing: apt-get install " + debianPackage
	if os.Getenv("NDRING_REQUIRE_ALL") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}
