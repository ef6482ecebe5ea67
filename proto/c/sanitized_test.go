package c

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sanitize compiles a program that ends at the first report of a sanitizer. Those of clang
// need a package that comes with it only as a recommendation.
func sanitize(t *testing.T, c compiler, source, sanitizers string) string {
	t.Helper()
	need(t, c.command, c.debianPackage)
	flags := []string{"-O0", "-g", "-pthread", "-fsanitize=" + sanitizers, "-fno-sanitize-recover=all"}
	empty := filepath.Join(t.TempDir(), "empty.c")
	if err := os.WriteFile(empty, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if exec.Command(c.command, append(flags, "-o", empty+".out", empty)...).Run() != nil {
		unavailable(t, "the runtime of the sanitizers of "+c.command, runtimePackage(t, c))
	}
	return build(t, c, []string{source}, flags...)
}

func runtimePackage(t *testing.T, c compiler) string {
	t.Helper()
	if c.command == "gcc" {
		return "gcc"
	}
	out, err := exec.Command(c.command, "-dumpversion").Output()
	if err != nil {
		t.Fatal(err)
	}
	major, _, _ := strings.Cut(strings.TrimSpace(string(out)), ".")
	return "libclang-rt-" + major + "-dev"
}

// addresses names the sanitizers of memory and of undefined behaviour that a compiler has.
// Of clang's integers only conversions are watched: positions wrap around by design.
func addresses(c compiler) string {
	if c.command == "clang" {
		return "address,undefined,local-bounds,implicit-conversion"
	}
	return "address,undefined"
}

// eachSanitizer runs a test with each compiler that has sanitizers of its own.
func eachSanitizer(t *testing.T, test func(t *testing.T, c compiler)) {
	for _, c := range compilers()[:2] {
		t.Run(c.name, func(t *testing.T) { test(t, c) })
	}
}

// Check that C decodes the test vectors as Go does, with the sanitizers watching.
func TestVectors(t *testing.T) {
	eachSanitizer(t, func(t *testing.T, c compiler) {
		program := sanitize(t, c, "tests/vectors.c", addresses(c))
		out, err := exec.Command(program, filepath.Join("..", "testdata")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
	})
}

// Check that producer and consumer run clean under the sanitizers, in both wake modes and
// across a kill in the middle of a frame.
func TestSanitizedRun(t *testing.T) {
	gcc := compilers()[0]
	producer := sanitize(t, gcc, "examples/producer.c", addresses(gcc))
	consumer := sanitize(t, gcc, "examples/consumer.c", addresses(gcc))
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
// input between live processes; waits under signals; forked processes; and memory that is
// not what a writer writes. The sanitizers watch.
func TestLive(t *testing.T) {
	eachSanitizer(t, func(t *testing.T, c compiler) {
		for _, source := range []string{"live", "signals", "fork", "hostile"} {
			t.Run(source, func(t *testing.T) {
				t.Parallel()
				run(t, sanitize(t, c, "tests/"+source+".c", addresses(c)))
			})
		}
	})
}

// Check that readers and a writer may be threads of one process. They look at one mapping,
// so that the thread sanitizer sees what orders them.
func TestThreads(t *testing.T) {
	eachSanitizer(t, func(t *testing.T, c compiler) {
		run(t, sanitize(t, c, "tests/threads.c", "thread"))
	})
}
