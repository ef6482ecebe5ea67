//go:build linux

package stage_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
)

// actor is a role in a process of its own that can be killed and started again.
type actor struct {
	t     *testing.T
	role  string
	args  []string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	errs  strings.Builder
	kills int
	ready bool // said what it says first in this life
}

func newActor(t *testing.T, role string, args ...string) *actor {
	a := &actor{t: t, role: role, args: args}
	a.start()
	t.Cleanup(func() {
		a.cmd.Process.Kill()
		a.cmd.Wait()
	})
	return a
}

func (a *actor) start() {
	a.t.Helper()
	a.cmd = exec.Command("/proc/self/exe", a.args...)
	a.cmd.Env = append(os.Environ(), roleVar+"="+a.role)
	a.errs.Reset()
	a.ready = false
	a.cmd.Stderr = &a.errs
	out, err := a.cmd.StdoutPipe()
	if err == nil {
		a.in, err = a.cmd.StdinPipe()
	}
	if err == nil {
		err = a.cmd.Start()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.lines = bufio.NewScanner(out)
}

// kill ends the process by SIGKILL and starts it again. A process that ended by
// itself fails the test.
func (a *actor) kill() {
	a.t.Helper()
	a.cmd.Process.Kill()
	a.cmd.Wait()
	if a.cmd.ProcessState.Exited() {
		a.t.Fatalf("%s ended by itself after %d kills: %v: %s", a.role, a.kills, a.cmd.ProcessState, a.errs.String())
	}
	a.kills++
	a.start()
}

// expect reads lines until one begins with prefix and returns the rest.
func (a *actor) expect(prefix string) string {
	a.t.Helper()
	for a.lines.Scan() {
		if rest, ok := strings.CutPrefix(a.lines.Text(), prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	a.cmd.Wait()
	a.t.Fatalf("%s ended without %q after %d kills: %v: %s", a.role, prefix, a.kills, a.cmd.ProcessState, a.errs.String())
	return ""
}

// begin waits until the process says what it says first in each life.
func (a *actor) begin(line string) {
	a.t.Helper()
	if !a.ready {
		a.expect(line)
		a.ready = true
	}
}

// end waits for the process to end well.
func (a *actor) end() {
	a.t.Helper()
	for a.lines.Scan() {
	}
	if err := a.cmd.Wait(); err != nil {
		a.t.Fatalf("%s after %d kills: %v: %s", a.role, a.kills, err, a.errs.String())
	}
}

func privateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ndring-stage-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// kills is how often the stage is killed: NDRING_STAGE_KILLS, or a few times.
func kills(t *testing.T) int {
	text := os.Getenv("NDRING_STAGE_KILLS")
	if text == "" {
		return 200
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("NDRING_STAGE_KILLS=%s: %v", text, err)
	}
	return n
}

// verdict is what the results of two tales were found to be.
type verdict struct {
	critics map[uint64]*critic // by ring
	frames  uint64
	err     error
}

// judge reads a ring of results to its end.
func judge(r *ipc.Reader, critics map[uint64]*critic) (v verdict) {
	v.critics = critics
	for {
		f, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return v
		}
		if err == nil && f.Number() != v.frames {
			err = fmt.Errorf("frame %d follows frame %d", f.Number(), v.frames-1)
		}
		if err == nil {
			c := critics[f.Header().SourceID]
			if c == nil {
				err = fmt.Errorf("frame %d is of ring %#x", f.Number(), f.Header().SourceID)
			} else {
				err = c.hear(f)
			}
		}
		if err != nil {
			v.err = err
			return v
		}
		v.frames++
		if err := r.Release(); err != nil {
			v.err = err
			return v
		}
	}
}

// Check that a stage between two producers and two readers that is killed at random
// instants, as are they, loses nothing, sends nothing twice and every DELTA right, of
// streams that were silent for many laps of its output ring too, and that nothing is
// left behind.
func TestKilledAtRandom(t *testing.T) {
	dir := privateDir(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 9))
	tellers := map[string]*actor{}
	critics := map[uint64]*critic{}
	for i, ring := range []string{"a", "b"} {
		teller := newActor(t, "tell", "-dir", dir, "-ring", ring, "-seed", strconv.Itoa(i+1))
		teller.begin("tells")
		s, err := ipc.OpenSnapshot(dir, ring)
		if err != nil {
			t.Fatal(err)
		}
		critics[s.Segment.Identity().RingID.Short()] = newCritic(uint64(i+1), newKernel(t, "affine"))
		s.Close()
		tellers[ring] = teller
	}
	st := newActor(t, "stage", "-dir", dir, "-in", "a,b", "-ring", "out")
	st.begin("runs")
	log := filepath.Join(t.TempDir(), "log")
	r, err := ipc.Dial(t.Context(), "out", ipc.ReaderConfig{Dir: dir, RestartWait: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	listener := newActor(t, "listen", "-dir", dir, "-ring", "out", "-log", log)
	listener.begin("listens") // before the ring goes on
	done := make(chan verdict, 1)
	go func() { done <- judge(r, critics) }()

	for range kills(t) {
		if rng.IntN(4) > 0 {
			st.begin("runs") // and not while it starts
		}
		time.Sleep(time.Duration(rng.Int64N(int64(10 * time.Millisecond))))
		for _, also := range []*actor{tellers["a"], tellers["b"], listener} {
			if rng.IntN(8) == 0 {
				also.kill()
			}
		}
		select {
		case v := <-done:
			t.Fatalf("after %d kills and %d results: %v", st.kills, v.frames, v.err)
		default:
		}
		st.kill()
	}
	st.begin("runs")
	told := map[string]string{}
	for name, teller := range tellers {
		io.WriteString(teller.in, "enough\n")
		told[name] = teller.expect("told")
	}
	v := <-done
	if v.err != nil {
		t.Fatalf("after %d kills and %d results: %v", st.kills, v.frames, v.err)
	}
	r.Close()
	for _, a := range []*actor{tellers["a"], tellers["b"], st, listener} {
		a.end()
	}
	var far, lines uint64
	for _, c := range critics {
		far, lines = far+c.far, lines+c.tale.n
		if n := strconv.FormatUint(c.tale.n, 10); n != told["a"] && n != told["b"] {
			t.Errorf("results of %s frames, told were %v", n, told)
		}
	}
	checkLog(t, log, v.frames, listener.kills)
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	t.Logf("%d kills of the stage, %d of producers, %d of a reader: %d frames, %d results, %d DELTA of silent streams",
		st.kills, tellers["a"].kills+tellers["b"].kills, listener.kills, lines, v.frames, far)
	if far == 0 {
		t.Error("no stream was silent")
	}
}

// checkLog checks that a reader that was killed so often got every frame, and none
// again but the one it held.
func checkLog(t *testing.T, path string, frames uint64, kills int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	next, again := uint64(0), 0
	for ; len(b) >= 8; b = b[8:] {
		n := binary.LittleEndian.Uint64(b)
		if n+1 == next {
			again++
			continue
		}
		if n != next {
			t.Fatalf("the reader with a name got frame %d, want %d", n, next)
		}
		next++
	}
	if next != frames || again > kills {
		t.Errorf("the reader with a name got %d frames, %d of them twice, want %d and at most %d", next, again, frames, kills)
	}
}
