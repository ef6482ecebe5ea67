//go:build linux

package conformance

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// kept are the arguments of a consumer whose place is kept.
func kept(dir string, more ...string) []string {
	return append([]string{"e", "--dir", dir, "--name", "kept", "--keep-ms", "600000"}, more...)
}

// nothing is how the line of a consumer begins that found a ring at its end.
const nothing = "frames=0 bytes=0 "

// Check that a consumer that is killed after its last release, and before it said goodbye,
// comes back to a ring that tells it of the end, whatever language the producer is in.
func TestConsumerKilledAtTheEnd(t *testing.T) {
	for _, producer := range languages() {
		for _, wake := range []string{"park", "stream"} {
			t.Run(producer.name+" "+wake, func(t *testing.T) {
				t.Parallel()
				dir := privateDir(t)
				w := start(t, producer.producer(t), append([]string{"e", "--dir", dir}, crashing()...)...)
				victim := start(t, goRole("consumer")(t), kept(dir, "--wake", wake, "--die-at-end")...)
				victim.killed(t)
				if got, want := withoutRescues(victim.await(t)), withoutRescues(expected(t, crashing())); got != want {
					t.Errorf("killed consumer read\n%s, want\n%s", got, want)
				}
				if got := start(t, goRole("consumer")(t), kept(dir, "--wake", wake, "--no-wait")...).succeed(t); !strings.HasPrefix(got, nothing) {
					t.Errorf("the one that came back read %q", got)
				}
				w.succeed(t)
			})
		}
	}
}

// Check that a producer that takes a ring up waits for the goodbye of a consumer that
// died behind the producer before it, having released everything.
func TestConsumerKilledBeforeTheSuccessor(t *testing.T) {
	for _, producer := range languages() {
		t.Run(producer.name, func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			victim := start(t, goRole("consumer")(t), kept(dir, "--restart-ms", "600000")...)
			before := start(t, goRole("producer")(t), "e", "--dir", dir, "--until", "2", "--pause-ms", "3600000")
			awaitCursor(t, dir, "e", proto.FrameBytes(40), victim)
			before.kill(t)
			victim.kill(t)
			w := start(t, producer.producer(t), "e", "--dir", dir, "--until", "1")
			if got := start(t, goRole("consumer")(t), kept(dir)...).succeed(t); !strings.HasPrefix(got, nothing) {
				t.Errorf("consumer read %q", got)
			}
			w.succeed(t)
		})
	}
}

// kill kills a process.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.killed(t)
}

// awaitCursor waits until the one reader of a ring has released all before position. It
// returns false if the process that is to do so has ended.
func awaitCursor(t *testing.T, dir, name string, position uint64, by *process) bool {
	t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		s, err := ipc.OpenSnapshot(dir, name)
		if err == nil {
			all := s.Readers()
			s.Close()
			if len(all) == 1 && all[0].Cursor == position {
				return true
			}
		}
		select {
		case <-by.done:
			return false
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("no reader of ring %s gets to %d: %v", name, position, err)
		}
	}
}

// Check that a stage that is killed between its last release and its note that the input
// has ended comes back, ends by itself, and gives every result once. The producer rests
// after each frame, the last one too; on a machine too busy to kill the stage then it ends
// unharmed.
func TestStageKilledAtTheEnd(t *testing.T) {
	const frames = 4
	for _, producer := range languages() {
		t.Run(producer.name, func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			results := make(chan error, 1)
			go func() { results <- readResults(ctx, dir, frames) }()
			stage := []string{"stage", "--in", "a", "--out", "y", "--kernel", "arcsec", "--name", "s", "--keep", "10m"}
			program := append([]string{"env", "NDRING_DIR=" + dir}, goRole("ndring")(t)...)
			w := start(t, producer.producer(t), "a", "--dir", dir, "--capacity", "65536", "--until", "4", "--pause-ms", "500")
			victim := start(t, program, stage...)
			if awaitCursor(t, dir, "a", frames*proto.FrameBytes(40), victim) {
				victim.kill(t)
				awaitEnd(t, dir, "a")
				victim = start(t, program, stage...)
			}
			victim.succeed(t)
			w.succeed(t)
			if err := <-results; err != nil {
				t.Error(err)
			}
		})
	}
}

// awaitEnd waits until a ring has ended, which must not be gone then.
func awaitEnd(t *testing.T, dir, name string) {
	t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		s, err := ipc.OpenSnapshot(dir, name)
		if err != nil {
			t.Fatalf("the ring is gone before its reader came back: %v", err)
		}
		ended := s.Segment.State().Ended
		s.Close()
		if ended {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("ring %s does not end", name)
		}
	}
}

// readResults reads ring y to its end: PRIMARY of each frame once and in order, and DELTA
// from the second on.
func readResults(ctx context.Context, dir string, frames uint32) error {
	r, err := ipc.Dial(ctx, "y", ipc.ReaderConfig{Dir: dir, RestartWait: deadline})
	if err != nil {
		return err
	}
	defer r.Close()
	primary, delta := uint32(0), uint32(1)
	for f, err := range r.Frames(ctx) {
		if err != nil {
			return err
		}
		h := f.Header()
		last := &primary
		if h.Role == proto.RoleDelta {
			last = &delta
		}
		*last++
		if h.Sequence != *last {
			return io.ErrNoProgress
		}
	}
	if primary != frames || delta != frames {
		return io.ErrUnexpectedEOF
	}
	return nil
}
