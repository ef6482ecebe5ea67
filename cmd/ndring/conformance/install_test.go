//go:build linux

package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Check that pip installs the module from its folder, without a network, typed, and that
// the installed module stands alone.
func TestPythonInstall(t *testing.T) {
	python := interpreter(t)
	if out, err := exec.Command(python, "-c", "import setuptools, wheel, pip").CombinedOutput(); err != nil {
		missing := "pip, setuptools or wheel is missing: apt-get install python3-pip python3-setuptools python3-wheel"
		if os.Getenv("NDRING_REQUIRE_ALL") != "" {
			t.Fatalf("%s\n%s", missing, out)
		}
		t.Skip(missing)
	}
	source, target := filepath.Join(t.TempDir(), "python"), t.TempDir()
	if err := os.CopyFS(source, os.DirFS(pythonFolder)); err != nil { // a build leaves files behind
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation",
		"--no-deps", "--no-index", "--no-cache-dir", "--target", target, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(target, "ndring", "py.typed")); err != nil {
		t.Error(err)
	}
	use := exec.Command(python, "-B", "-c", "import ndring, os; print(os.path.dirname(ndring.__file__))")
	use.Dir, use.Env = t.TempDir(), append(os.Environ(), "PYTHONPATH="+target)
	out, err := use.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != filepath.Join(target, "ndring") {
		t.Errorf("the module comes from %q: %v", got, err)
	}
}
