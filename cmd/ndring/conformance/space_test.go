//go:build linux

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/ipc"
)

// Check that a producer in every language that has not enough room in its control group
// for the ring it asks for says so, where the kernel would kill it, and makes a smaller one.
func TestControlGroup(t *testing.T) {
	said := map[string]string{"go": ipc.ErrNoSpace.Error(), "c": "ERR_NO_SPACE", "python": "NoSpaceError"}
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			group := fmt.Sprintf("/sys/fs/cgroup/memory/ndring-%s-%d", l.name, os.Getpid())
			if err := os.Mkdir(group, 0o755); err != nil {
				t.Skip("needs a writable memory control group (version 1):", err)
			}
			defer os.Remove(group)
			if err := os.WriteFile(filepath.Join(group, "memory.limit_in_bytes"), []byte("134217728"), 0); err != nil {
				t.Skip("cannot limit a control group:", err)
			}
			within := append([]string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(group, "cgroup.procs")}, l.producer(t)...)
			dir := privateDir(t)
			p := start(t, within, "x", "--dir", dir, "--capacity", "268435456")
			p.await(t)
			got := p.err.String()
			for _, word := range []string{said[l.name], "reserve 270532608 bytes in ", dir, " are available; the control group's memory limit leaves no more; raise it or choose a smaller capacity"} {
				if !strings.Contains(got, word) {
					t.Errorf("%v, %q, want %q", p.cmd.ProcessState, got, word)
				}
			}
			p = start(t, within, "x", "--dir", dir, "--until", "3", "--capacity", "4194304")
			start(t, goRole("consumer")(t), "x", "--dir", dir).succeed(t)
			p.succeed(t)
		})
	}
}
