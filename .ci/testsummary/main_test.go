package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goTest runs "go test -json" over a throw-away module of the given files.
func goTest(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.org/m\n\ngo 1.26\n"
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-json", "-vet=off", "./...")
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if out.Len() == 0 {
		t.Fatalf("go test: %v", err)
	}
	return out.String()
}

const mixed = `package a

import "testing"

func TestGood(t *testing.T) { t.Log("quiet") }
func TestBad(t *testing.T)  { t.Run("inner", func(t *testing.T) { t.Error("broken here") }) }
func TestLeft(t *testing.T) { t.Skip("needs gcc: apt-get install gcc") }
`

// Check what a run with a pass, a failure in a subtest, a skip, a package that
// does not build and one without tests looks like and counts to.
func TestMixed(t *testing.T) {
	events := goTest(t, map[string]string{
		"a/a_test.go": mixed,
		"b/b_test.go": "package b\n\nfunc f() { undefined() }\n",
		"c/c.go":      "package c\n",
	})
	var out bytes.Buffer
	if code := run(nil, strings.NewReader(events), &out, &out); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	text := out.String()
	for _, want := range []string{
		"--- FAIL: TestBad", "broken here", "FAIL\texample.org/m/a\t",
		"undefined: undefined", "FAIL\texample.org/m/b [build failed]",
		"?   \texample.org/m/c\t[no test files]",
		"SKIP\texample.org/m/a\ta_test.go:7: needs gcc: apt-get install gcc (TestLeft)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	for _, hidden := range []string{"=== RUN", "quiet", "--- PASS"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q is shown in:\n%s", hidden, text)
		}
	}
	// TestBad, its subtest and package b failed.
	if !strings.HasSuffix(text, "\n1 passed, 3 failed, 1 skipped\n") {
		t.Errorf("last line of:\n%s", text)
	}
}

// Check that a test that takes the process down is counted and shown.
func TestDeath(t *testing.T) {
	events := goTest(t, map[string]string{
		"a/a_test.go": "package a\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestGone(t *testing.T) { println(\"last words\"); os.Exit(3) }\n",
	})
	var out bytes.Buffer
	if code := run(nil, strings.NewReader(events), &out, &out); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if text := out.String(); !strings.Contains(text, "last words") || !strings.HasSuffix(text, "\n0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("printed:\n%s", text)
	}
}

// Check that a package whose events stop without a verdict counts as failed.
func TestCutOff(t *testing.T) {
	events := `{"Action":"start","Package":"p"}
{"Action":"pass","Package":"p","Test":"TestA"}
`
	var out bytes.Buffer
	if code := run(nil, strings.NewReader(events), &out, &out); code != 1 || !strings.HasSuffix(out.String(), "1 passed, 1 failed, 0 skipped\n") {
		t.Errorf("exit code %d, printed:\n%s", code, &out)
	}
}

// Check that a package that was cut off in one run failed, whatever became of it in the
// next.
func TestCutOffBefore(t *testing.T) {
	events := `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"start","Package":"p"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`
	var out bytes.Buffer
	if code := run([]string{"-tally"}, strings.NewReader(events), &out, &out); code != 1 || out.String() != "1 passed, 1 failed, 0 skipped\n" {
		t.Errorf("exit code %d, printed:\n%s", code, &out)
	}
}

// Check that no events at all are not a success, and that lines which are not
// events are shown.
func TestNothingRan(t *testing.T) {
	var out bytes.Buffer
	if code := run(nil, strings.NewReader("go: cannot find main module\n"), &out, &out); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if want := "go: cannot find main module\n0 passed, 0 failed, 0 skipped\n"; out.String() != want {
		t.Errorf("printed %q, want %q", &out, want)
	}
}

// Check that the events of two runs, recorded one after the other, count each
// test once: failed beats passed beats skipped.
func TestTally(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events")
	for _, events := range []string{
		`{"Action":"skip","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"B"}
{"Action":"skip","Package":"p","Test":"C"}
{"Action":"pass","Package":"p"}
`, `{"Action":"pass","Package":"p","Test":"A"}
{"Action":"fail","Package":"p","Test":"B"}
{"Action":"skip","Package":"p","Test":"C"}
{"Action":"fail","Package":"p"}
`} {
		var out bytes.Buffer
		run([]string{"-record", file}, strings.NewReader(events), &out, &out)
	}
	recorded, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code := run([]string{"-tally"}, bytes.NewReader(recorded), &out, &out)
	if want := "1 passed, 1 failed, 1 skipped\n"; code != 1 || out.String() != want {
		t.Errorf("exit code %d, printed %q, want 1 and %q", code, &out, want)
	}
}
