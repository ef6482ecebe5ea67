//go:build linux

package ipc

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ndring/ndring/proto"
)

func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, name := range filesIn(t, dir) {
		if filepath.Ext(name) == ".sock" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = b
	}
	return all
}

// Check that a look at a ring tells who lives, who is killed and how far they
// were, and changes no byte of a ring at rest or of a dead one.
func TestSnapshot(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-count", "100", "-no-close")
	read := spawn(t, "read", "-dir", dir, "-name", "viewer", "-stop-after", "40")
	write.expect("written")
	read.expect("stopped")
	read.suspend()
	write.suspend() // or it dates its tail meanwhile
	for _, alive := range []bool{true, false} {
		before := contents(t, dir)
		s, err := OpenSnapshot(dir, "x")
		if err != nil {
			t.Fatal(err)
		}
		if s.Alive != alive || alive && s.WriterPID != write.cmd.Process.Pid {
			t.Errorf("alive %v by pid %d, want %v by pid %d", s.Alive, s.WriterPID, alive, write.cmd.Process.Pid)
		}
		if end := s.Segment.Tail(); end != 100*proto.LineBytes {
			t.Errorf("tail %d, want %d", end, 100*proto.LineBytes)
		}
		readers := s.Readers()
		if len(readers) != 1 || readers[0].Name != "viewer" || int(readers[0].PID) != read.cmd.Process.Pid || readers[0].LagBytes != 61*proto.LineBytes {
			t.Errorf("readers %+v, want one named viewer, 61 lines behind", readers)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		rings, err := List(dir)
		if err != nil || len(rings) != 1 || rings[0].Name != "x" || rings[0].Alive != alive || rings[0].Identity == nil {
			t.Errorf("list %+v, %v", rings, err)
		}
		for name, b := range contents(t, dir) {
			if !bytes.Equal(b, before[name]) {
				t.Errorf("file %q changed", name)
			}
		}
		if alive {
			read.kill()
			read.ended = true
			write.kill()
			// A killed reader's slot may be freed before its writer is killed; put
			// back what stood there so that the dead ring is looked at, too.
			restore(t, dir, before)
		}
	}
}

func restore(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Check that collecting removes dead rings, whatever is left of them, and no
// living one.
func TestCollect(t *testing.T) {
	dir := testDir(t)
	dead := spawn(t, "write", "-dir", dir, "-ring", "dead", "-count", "1", "-no-close")
	dead.expect("written")
	dead.kill()
	for _, stray := range []string{"half.readers", "old.lock", "gone.sock"} {
		if err := os.WriteFile(filepath.Join(dir, stray), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listen(t, "alive", WriterConfig{Dir: dir})
	done, err := Collect(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range done {
		var held *HeldError
		if want := c.Name != "alive"; c.Removed != want || !want && !(errors.As(c.Err, &held) && held.PID == os.Getpid()) {
			t.Errorf("ring %q: removed %v, %v", c.Name, c.Removed, c.Err)
		}
	}
	if left := filesIn(t, dir); len(done) != 5 || len(left) != 4 {
		t.Errorf("%d rings looked at, left %q; want 5 and the four files of one", len(done), left)
	}
}
