//go:build linux

package ipc

import (
	"os"
	"testing"
)

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Check that a million small frames cross from one process to two others, one in
// each wake mode, exactly, and that nothing is left.
func TestMillionFrames(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-count", "1000000", "-wait")
	park := spawn(t, "read", "-dir", dir, "-wake", "park")
	stream := spawn(t, "read", "-dir", dir, "-wake", "stream")
	park.expect("attached")
	stream.expect("attached")
	write.say("go")
	for _, p := range []*process{park, stream} {
		if got := p.expect("read "); len(got) < 8 || got[:8] != "1000000 " {
			t.Errorf("read %s, want 1000000", got)
		}
		p.wait()
	}
	write.wait()
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
