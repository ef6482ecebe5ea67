//go:build linux

package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Two users that own nothing.
const (
	owner    = 12345
	stranger = 54321
)

// startUser starts a process of another user, which reaches programs and modules all
// the same wherever this checkout lies: env has the capability when it looks for them.
func startUser(t *testing.T, uid uint32, front []string, more ...string) *process {
	t.Helper()
	return startAs(t, &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uid, Gid: uid},
		AmbientCaps: []uintptr{unix.CAP_DAC_OVERRIDE},
	}, append([]string{"env"}, front...), more...)
}

// awaitServed waits until the producer of ring x serves it.
func awaitServed(t *testing.T, p *process, dir string) {
	t.Helper()
	end := time.Now().Add(deadline)
	for {
		if _, err := os.Stat(filepath.Join(dir, "x.sock")); err == nil {
			break
		}
		select {
		case <-p.done:
			t.Fatalf("%v ended: %v\n%s%s", p.cmd.Args, p.cmd.ProcessState, &p.out, &p.err)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("%v serves no ring after %v", p.cmd.Args, deadline)
		}
	}
}

// handOver gives the directory of ring x to a user, once its producer serves it.
func handOver(t *testing.T, p *process, dir string, uid int) {
	t.Helper()
	awaitServed(t, p, dir)
	if err := errors.Join(os.Chown(dir, uid, uid), os.Chown(filepath.Join(dir, "x.sock"), uid, uid)); err != nil {
		t.Fatal(err)
	}
}

// Check that a consumer of another user is denied by name in every language, even where
// the directory and the socket let it through, and that the ring's own user still reads
// every frame. A producer of root's refuses it; that of any other user it leaves itself.
func TestOtherUserDenied(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to become other users")
	}
	all := languages()
	for _, l := range all {
		t.Run(l.name+" of root", func(t *testing.T) { denies(t, l, 0) })
	}
	t.Run("go of another", func(t *testing.T) { denies(t, all[0], owner) })
}

// denies checks that a producer of a user's goes together with none of another's.
func denies(t *testing.T, producer language, user uint32) {
	t.Parallel()
	dir, arguments := privateDir(t), []string{"--until", "3"}
	if err := os.Chown(dir, int(user), int(user)); err != nil {
		t.Fatal(err)
	}
	w := startUser(t, user, producer.producer(t), append([]string{"x", "--dir", dir}, arguments...)...)
	handOver(t, w, dir, stranger)
	denied := map[string]string{"go": "ErrDenied", "c": "ERR_DENIED", "python": "DeniedError"}
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			r := startUser(t, stranger, l.consumer(t), "x", "--dir", dir, "--wake", "stream")
			r.await(t)
			if said := r.err.String(); r.cmd.ProcessState.Success() || !strings.Contains(said, denied[l.name]) {
				t.Errorf("%v, %q, want %q", r.cmd.ProcessState, said, denied[l.name])
			}
		})
	}
	handOver(t, w, dir, int(user))
	r := startUser(t, user, goRole("consumer")(t), "x", "--dir", dir)
	w.succeed(t)
	if got, want := r.succeed(t), expected(t, arguments); producer.asCounted(got) != producer.asCounted(want) {
		t.Errorf("consumer read\n%s, want\n%s", got, want)
	}
}
