package command

import (
	"context"
	"errors"
	"flag"
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
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

// endRounds is how many stages are killed around their end: NDRING_STAGE_ENDS, or a few.
func endRounds(t *testing.T) int {
	text := os.Getenv("NDRING_STAGE_ENDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("NDRING_STAGE_ENDS=%s: %v", text, err)
	}
	return n
}

// started starts a command and returns a channel that gives its error when it ends.
func started(t *testing.T, cmd *exec.Cmd) <-chan error {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended
}

// Check that a stage of one or two inputs that is killed again and again around the end
// of what it reads ends by itself with 0 once it is let, that its producers do too, and
// that a reader gets every result once and then the end.
func TestStageKilledAroundItsEnd(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 23))
	lives := 0
	for range endRounds(t) {
		n := endRound(t, rng, map[string]int{"a": 40})
		n += endRound(t, rng, map[string]int{"a": 40, "b": 60})
		lives += n
	}
	t.Logf("%d kills", lives)
}

// endRound runs producers of so many frames, a stage behind them that is killed, and a
// reader, and returns how often it was killed.
func endRound(t *testing.T, rng *rand.Rand, counts map[string]int) (kills int) {
	dir := ringDir(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	read := make(chan error, 1)
	go func() { read <- readResults(ctx, dir, counts) }()
	var names []string
	ends := make(chan error, len(counts))
	for name, count := range counts {
		names = append(names, name)
		ended := started(t, program(ctx, t, dir, "produce", name, "--count", strconv.Itoa(count), "--capacity", "64K", "--rate", "3000"))
		go func() { ends <- <-ended }()
	}
	left := len(counts)
	for over := false; !over; kills++ {
		var errs strings.Builder
		victim := program(ctx, t, dir, "stage", "--in", strings.Join(names, ","), "--out", "y", "--kernel", "arcsec", "--name", "s", "--keep", "10m")
		victim.Stderr = &errs
		ended := started(t, victim)
		var producers <-chan error = ends
		if left == 0 {
			producers = nil
		}
		var err error
		select {
		case err = <-ended:
			over = true
		case err = <-producers: // one has ended: the stage is about to
			left--
			time.Sleep(time.Duration(rng.Int64N(int64(1500 * time.Microsecond))))
		case <-mercy(rng, kills):
		}
		if err != nil {
			t.Fatalf("after %d kills, %d producers going: %v: %.2000s", kills, left, err, errs.String())
		}
		if over {
			break
		}
		victim.Process.Kill()
		<-ended
		if _, err := os.Stat(filepath.Join(dir, "y.ring")); err != nil && left == 0 {
			over = true // it had done all but to end
		}
	}
	for ; left > 0; left-- {
		if err := <-ends; err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		t.Fatalf("after %d kills: %v", kills, err)
	}
	program(ctx, t, dir, "gc").Run() // a removal that was cut off
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("left in the ring directory after %d kills: %v, %v", kills, left, err)
	}
	return kills
}

// mercy is how long a stage lives that was killed so often: more and more, and in the
// end as long as it wants.
func mercy(rng *rand.Rand, kills int) <-chan time.Time {
	if kills > 8 {
		return nil
	}
	return time.After(time.Duration(rng.Int64N(int64(50*time.Millisecond) * int64(kills+1))))
}

// readResults reads ring y to its end: results of each input in turn, PRIMARY and, from
// the second on, DELTA.
func readResults(ctx context.Context, dir string, counts map[string]int) error {
	r, err := ipc.Dial(ctx, "y", ipc.ReaderConfig{Dir: dir, RestartWait: 10 * time.Minute})
	if err != nil {
		return err
	}
	defer r.Close()
	type key struct {
		from uint64
		role proto.Role
	}
	seen := map[key]int{}
	for f, err := range r.Frames(ctx) {
		if err != nil {
			return err
		}
		h := f.Header()
		k := key{h.SourceID, h.Role}
		seen[k]++
		if behind := int(h.Sequence) - seen[k]; behind != 0 && h.Role == proto.RolePrimary || behind != 1 && h.Role == proto.RoleDelta {
			return errors.New("result " + strconv.Itoa(seen[k]) + " of an input has sequence " + strconv.Itoa(int(h.Sequence)))
		}
	}
	have, want := 0, 0
	for _, n := range seen {
		have += n
	}
	for _, n := range counts {
		want += 2*n - 1
	}
	if have != want || len(seen) != 2*len(counts) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Check that a restarted stage says the goodbye that the life before did not get to, and
// to no other ring of that name.
func TestTakeLeave(t *testing.T) {
	dir := ringDir(t)
	w, err := ipc.Listen(t.Context(), "a", ipc.WriterConfig{Dir: dir, Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	cfg := ipc.ReaderConfig{Dir: dir, Name: "s", Keep: time.Hour}
	r, err := ipc.Dial(t.Context(), "a", cfg)
	if err == nil {
		err = r.Leave()
	}
	if err != nil {
		t.Fatal(err)
	}
	over := stage.Over{Name: "a", RingID: w.Identity().RingID.Short()}
	takeLeave(t.Context(), cfg, over) // the ring goes on
	takeLeave(t.Context(), cfg, stage.Over{Name: "a", RingID: over.RingID + 1})
	closed := make(chan error, 1)
	go func() { closed <- w.Close(context.Background()) }()
	for ended := false; !ended; {
		takeLeave(t.Context(), cfg, over) // once it has ended
		select {
		case err := <-closed:
			if err != nil {
				t.Fatal(err)
			}
			ended = true
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

// Check that the output ring of a stage stays for the next life when the journal could not
// be written, with words that say so, and ends after any other error.
func TestRingStaysWithoutJournal(t *testing.T) {
	for _, c := range []struct {
		err   error
		stays bool
	}{{nil, false}, {stage.ErrDType, false}, {fmt.Errorf("claim: %w", stage.ErrJournal), true}} {
		w, err := ipc.Listen(t.Context(), "y", ipc.WriterConfig{Dir: ringDir(t), Capacity: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		inner := cli.NewContext(&cli.App{ErrWriter: &said}, flag.NewFlagSet("stage", flag.ContinueOnError), nil)
		inner.Context = t.Context()
		if err := settle(inner, w, c.err); err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(w.Dir(), "y.ring"))
		if stays := err == nil; stays != c.stays || strings.Contains(said.String(), "start the stage again") != c.stays {
			t.Errorf("after %v: the ring stays: %v; said %q", c.err, stays, said.String())
		}
	}
}
