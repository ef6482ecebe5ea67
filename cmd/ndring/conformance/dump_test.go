//go:build linux

package conformance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
)

// Check that producers and consumers of every language keep the memory of rings out of
// their core dumps. A reader of the test's own holds the ring at its start meanwhile.
func TestNotInCoreDumps(t *testing.T) {
	for _, l := range languages() {
		for _, wake := range l.wakes {
			t.Run(l.name+" "+wake, func(t *testing.T) {
				t.Parallel()
				dir := privateDir(t)
				w := start(t, l.producer(t), append([]string{"x", "--dir", dir}, crashing()...)...)
				holder, err := ipc.Dial(t.Context(), "x", ipc.ReaderConfig{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				defer holder.Close()
				r := start(t, l.consumer(t), "x", "--dir", dir, "--wake", wake)
				awaitMappings(t, w, dir, 2)
				if l.name == "python" && wake == "stream" { // it has no use for the reader table
					awaitMappings(t, r, dir, 1)
				} else {
					awaitMappings(t, r, dir, 2)
				}
				if err := holder.Close(); err != nil {
					t.Error(err)
				}
				w.succeed(t)
				r.succeed(t)
			})
		}
	}
}

// awaitMappings waits until a process has mapped so many files below dir, all of them
// left out of core dumps. What is only just being mapped is not yet.
func awaitMappings(t *testing.T, p *process, dir string, files int) {
	t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		apart, found := 0, false
		for line := range strings.Lines(string(maps)) {
			f := strings.Fields(line)
			switch {
			case !strings.HasSuffix(f[0], ":"):
				found = len(f) > 5 && strings.HasPrefix(f[5], dir+"/")
			case f[0] == "VmFlags:" && found && slices.Contains(f, "dd"):
				apart++
			}
		}
		if apart == files {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v: %d mappings of the ring are left out of core dumps, want %d\n%s", p.cmd.Args, apart, files, &p.err)
		}
	}
}
