package npy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// readBack prints what NumPy finds in each file: type, shape, elements in hex.
const readBack = `
import sys, numpy as np
for path in sys.argv[1:]:
    with open(path, "rb") as f:
        a = np.load(f)
        assert f.read() == b"", "bytes left"
    print(a.dtype.str, ",".join(map(str, a.shape)) or "-", a.tobytes().hex() or "-")
`

// python returns the interpreter that has NumPy, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", "import numpy").Run() == nil {
			return path
		}
	}
	t.Skip("no NumPy: install python3-numpy")
	return ""
}

// Check that NumPy reads what Write wrote, for every dtype, strided and empty.
func TestNumPyReadsOurs(t *testing.T) {
	interpreter := python(t)
	dir := t.TempDir()
	var paths, want []string
	for dt := proto.F64; dt.Valid(); dt++ {
		for _, shape := range [][]int{nil, {0}, {7}, {3, 4}, {1, 2, 1, 2, 1, 2, 1, 2}} {
			a, err := nd.Make(dt, shape...)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := a.Contents()
			if err != nil {
				t.Fatal(err)
			}
			for i := range raw {
				raw[i] = byte(i % 61)
				if dt == proto.Bool {
					raw[i] &= 1
				}
			}
			if a, err = a.Transpose(); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := Write(&out, a); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, a.Desc().String()+".npy")
			if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
			want = append(want, line(dt.Descr(), a.Shape(), packed(t, a)))
		}
	}
	got, err := exec.Command(interpreter, append([]string{"-c", readBack}, paths...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines for %d files\n%s", len(lines), len(want), got)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("%s: NumPy reads %s, want %s", filepath.Base(paths[i]), lines[i], want[i])
		}
	}
}
