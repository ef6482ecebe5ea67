package c

import (
	"os"
	"path/filepath"
	"testing"
)

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
					build(t, c, []string{source})
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

// Check that two files of one program can include the header, without a warning that a
// user asks for, without exceptions, and as C++20.
func TestTwoFiles(t *testing.T) {
	sources, err := filepath.Glob("tests/linked/*.c")
	if err != nil || len(sources) != 2 {
		t.Fatal(sources, err)
	}
	for _, c := range users() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run(t, build(t, c, sources, "-O0"))
		})
	}
}

// Check that what the compiler makes of the header, slow or fast, small or across files,
// does the same.
func TestOptimisedRuns(t *testing.T) {
	gcc, clang := compilers()[0], compilers()[1]
	for _, v := range []struct {
		name string
		compiler
		flags []string
	}{
		{"gcc O0", gcc, []string{"-O0"}},
		{"gcc O3 across files", gcc, []string{"-O3", "-flto"}},
		{"clang small", clang, []string{"-Os"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			run(t, build(t, v.compiler, []string{"tests/live.c"}, v.flags...))
		})
	}
}
