package command

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

// outsideLines is what a program may take to write and read images.
const outsideLines = 30

// Check that a program outside this module writes and reads [3,224,224] float32
// frames through the public packages in under 30 lines.
func TestOutsideProgram(t *testing.T) {
	source, err := os.ReadFile("testdata/outside/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n >= outsideLines {
		t.Errorf("the program has %d lines, want fewer than %d", n, outsideLines)
	}
	binary := buildOutside(t, source)
	dir := ringDir(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), "NDRING_DIR="+dir)
	out, err := cmd.CombinedOutput()
	want := "0 <nil>\n1 <nil>\n2 <nil>\n3 <nil>\n4 <nil>\n5 <nil>\n6 <nil>\n7 <nil>\n8 <nil>\n9 <nil>\nclosed <nil>\n"
	if err != nil || string(out) != want {
		t.Errorf("it printed %q, %v", out, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the ring directory: %v, %v", left, err)
	}
}

// buildOutside builds source in a module of its own, from the module cache alone.
func buildOutside(t *testing.T, source []byte) string {
	t.Helper()
	module, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	gosum, err := os.ReadFile(filepath.Join(module, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	// The same requirements, so that nothing has to be looked up.
	const path = "github.com/ndring/ndring"
	text := strings.Replace(string(gomod), "module "+path+"\n", "module example.org/outside\n", 1) +
		"\nrequire " + path + " v0.0.0\n\nreplace " + path + " => " + module + "\n"
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": text, "go.sum": string(gosum), "main.go": string(source)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", "outside", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "outside")
}

// Check that the example of the README builds and runs.
func TestReadmeExample(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	body, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README holds no Go example")
	}
	const head = `package main

import (
	"context"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/ring"
)

func main() {
`
	binary := buildOutside(t, []byte(head+body+"}\n"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), "NDRING_DIR="+ringDir(t))
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "0 150528 <nil> <nil>\n" {
		t.Errorf("it printed %q, %v", out, err)
	}
}
