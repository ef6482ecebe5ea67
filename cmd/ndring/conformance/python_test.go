//go:build linux

package conformance

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pythonFolder is where the Python module, its examples and its tests are.
var pythonFolder = filepath.Join("..", "..", "..", "proto", "python")

// python is the interpreter that has NumPy, looked for once.
var python struct {
	once sync.Once
	path string
}

// interpreter is a Python that has NumPy, or skips the test. The distribution's own
// comes second: a newer one in front of it may lack its packages.
func interpreter(t testing.TB) string {
	t.Helper()
	python.once.Do(func() {
		for _, path := range []string{"python3", "/usr/bin/python3"} {
			if exec.Command(path, "-c", "import sys, numpy; assert sys.version_info >= (3, 9)").Run() == nil {
				python.path = path
				return
			}
		}
	})
	if python.path != "" {
		return python.path
	}
	const missing = "Python 3.9 with NumPy is missing: apt-get install python3-numpy"
	if os.Getenv("NDRING_REQUIRE_ALL") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// pythonExample is a program of proto/python/examples, run with the module of this
// checkout and without leaving compiled files in it.
func pythonExample(name string) func(testing.TB) []string {
	return func(t testing.TB) []string {
		t.Helper()
		return []string{"env", "PYTHONPATH=" + pythonFolder, interpreter(t), "-B", filepath.Join(pythonFolder, "examples", name+".py")}
	}
}

// Check the Python module against the vectors of the contract, and itself: leases,
// views, batches, asyncio, restarts, bad input.
func TestPythonModule(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(pythonFolder, "tests", "test_*.py"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", pythonFolder, err)
	}
	for _, file := range files {
		module := strings.TrimSuffix(filepath.Base(file), ".py")
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(interpreter(t), "-B", "-W", "error::ResourceWarning", "-m", "unittest", module)
			cmd.Dir = filepath.Dir(file)
			cmd.Env = append(os.Environ(), "PYTHONPATH=..", "NDRING_DIR="+privateDir(t))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Check that Python consumers that read in batches, with asyncio, or lossily get the
// same as one that reads frame by frame.
func TestPythonConsumers(t *testing.T) {
	consumer := pythonExample("consumer")
	for sort, arguments := range sorts() {
		want := expected(t, arguments)
		for _, way := range []string{"--batches", "--asyncio"} {
			t.Run(sort+" "+way, func(t *testing.T) {
				t.Parallel()
				dir := privateDir(t)
				r := start(t, consumer(t), "m", "--dir", dir, way, "1")
				w := start(t, goRole("producer")(t), append([]string{"m", "--dir", dir}, arguments...)...)
				w.succeed(t)
				if got := r.succeed(t); got != want {
					t.Errorf("consumer read\n%s, want\n%s", got, want)
				}
			})
		}
	}
}

// Check that a Python observer sees no torn frame and no gap that it does not tell,
// while it is overtaken again and again.
func TestPythonObserver(t *testing.T) {
	for _, producer := range languages() {
		t.Run(producer.name, func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			front := pythonExample("consumer")(t)
			observer := exec.Command(front[0], append(front[1:], "o", "--dir", dir, "--wake", "observe", "--ready", "1")...)
			out, err := observer.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := observer.Start(); err != nil {
				t.Fatal(err)
			}
			w := start(t, producer.producer(t), "o", "--dir", dir, "--capacity", "65536", "--until", "20000", "--shape", "100")
			lines := bufio.NewScanner(out)
			if !lines.Scan() || lines.Text() != "ready" {
				t.Errorf("observer said %q", lines.Text())
			}
			start(t, goRole("consumer")(t), "o", "--dir", dir).succeed(t)
			w.succeed(t)
			lines.Scan()
			if err := observer.Wait(); err != nil || !strings.Contains(lines.Text(), " gaps=0 torn=0 ") {
				t.Errorf("observer read %q, %v", lines.Text(), err)
			}
		})
	}
}

// asCounted is a consumer's line without what this language's producer cannot answer
// for. A doorbell may be rung late: a sleep that an older ring ended just after a commit,
// and before the ring for that one, counts as a rescue, and a slow writer leaves room
// for that.
func (l *language) asCounted(line string) string {
	if l.prompt {
		return line
	}
	return withoutRescues(line)
}
