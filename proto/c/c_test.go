package c

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A compiler is one way to build the header, without a warning.
type compiler struct {
	name, command, debianPackage string
	arguments                    []string
}

func compilers() []compiler {
	strict := []string{"-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"}
	with := func(more ...string) []string { return append(more, strict...) }
	return []compiler{
		{"gcc", "gcc", "gcc", with("-std=c11")},
		{"g++", "g++", "g++", with("-x", "c++", "-std=c++17")},
		{"clang", "clang", "clang", with("-std=c11")},
		{"clang++", "clang++", "clang", with("-x", "c++", "-std=c++17")},
	}
}

// need skips the test if a tool is missing.
func need(t *testing.T, tool, debianPackage string) {
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

// build compiles source and returns the program.
func build(t *testing.T, c compiler, source string, more ...string) string {
	t.Helper()
	need(t, c.command, c.debianPackage)
	program := filepath.Join(t.TempDir(), "program")
	arguments := append(append([]string{}, c.arguments...), more...)
	out, err := exec.Command(c.command, append(arguments, "-o", program, source)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", c.command, source, err, out)
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

// Check that the header, its examples and its tests compile without a warning as C11 and
// as C++17; the asserts in it prove every offset. The first compiler optimises, which
// finds more; the others check without making code.
func TestCompilesCleanly(t *testing.T) {
	sources, err := filepath.Glob("*/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatal(sources, err)
	}
	for _, c := range compilers() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, source := range sources {
				if c.command == "gcc" {
					build(t, c, source)
				} else {
					check(t, c, source)
				}
			}
		})
	}
}

// Check that each header compiles on its own.
func TestHeadersStandAlone(t *testing.T) {
	headers, err := filepath.Glob("*.h")
	if err != nil || len(headers) == 0 {
		t.Fatal(headers, err)
	}
	gcc := compilers()[0]
	need(t, gcc.command, gcc.debianPackage)
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		source := filepath.Join(t.TempDir(), "alone.c")
		text := "#include \"" + filepath.Join(here, header) + "\"\nint main(void) { return 0; }\n"
		if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, gcc, source, "-D_GNU_SOURCE")
	}
}

// Check that C decodes the test vectors as Go does, with the sanitizers watching.
func TestVectors(t *testing.T) {
	program := build(t, compilers()[0], filepath.Join("tests", "vectors.c"),
		"-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
	out, err := exec.Command(program, filepath.Join("..", "testdata")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// Check that producer and consumer run clean under the sanitizers, in both wake modes and
// across a kill in the middle of a frame.
func TestSanitizedRun(t *testing.T) {
	sanitized := []string{"-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"}
	producer := build(t, compilers()[0], filepath.Join("examples", "producer.c"), sanitized...)
	consumer := build(t, compilers()[0], filepath.Join("examples", "consumer.c"), sanitized...)
	for _, wake := range []string{"park", "stream"} {
		t.Run(wake, func(t *testing.T) {
			dir, err := os.MkdirTemp("/dev/shm", "ndring-c-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			run := []string{"s", "--dir", dir, "--until", "2000", "--capacity", "65536", "--shape", "3x4", "--order", "f"}
			reader := exec.Command(consumer, "s", "--dir", dir, "--wake", wake, "--restart-ms", "30000")
			done := make(chan string, 1)
			go func() {
				out, err := reader.CombinedOutput()
				if err != nil {
					done <- err.Error() + "\n" + string(out)
					return
				}
				done <- ""
			}()
			if err := exec.Command(producer, append(run, "--kill-at", "900")...).Run(); err == nil {
				t.Error("the producer ended by itself")
			}
			if out, err := exec.Command(producer, run...).CombinedOutput(); err != nil {
				t.Errorf("producer: %v\n%s", err, out)
			}
			if said := <-done; said != "" {
				t.Errorf("consumer: %s", said)
			}
		})
	}
}

// Check groups, batches, eviction, overtaken observers, a lost writer and each sort of bad
// input between live processes, with the sanitizers watching.
func TestLive(t *testing.T) {
	for name, sanitizers := range map[string]string{"addresses": "address,undefined", "threads": "thread"} {
		t.Run(name, func(t *testing.T) {
			program := build(t, compilers()[0], filepath.Join("tests", "live.c"), "-g", "-fsanitize="+sanitizers, "-fno-sanitize-recover=all")
			dir, err := os.MkdirTemp("/dev/shm", "ndring-c-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			if out, err := exec.Command(program, dir).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left in the ring directory: %v, %v", left, err)
			}
		})
	}
}
