//go:build linux

package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
)

func crashing() []string {
	return []string{"--capacity", "65536", "--until", "1500", "--dtype", "f64", "--shape", "3x5"}
}

// killed waits for a process that kills itself.
func (p *process) killed(t *testing.T) {
	t.Helper()
	p.await(t)
	if p.cmd.ProcessState.Exited() {
		t.Fatalf("%v ended by itself: %v\n%s%s", p.cmd.Args, p.cmd.ProcessState, &p.out, &p.err)
	}
}

// Check that a consumer gets every frame once across the death of the producer in the
// middle of a frame and its restart, whichever language it restarts in.
func TestProducerKilledAndRestarted(t *testing.T) {
	eachPair(t, func(t *testing.T, producer, consumer language) {
		for _, successor := range languages() {
			for _, wake := range consumer.wakes {
				t.Run(successor.name+" "+wake, func(t *testing.T) {
					t.Parallel()
					dir := privateDir(t)
					arguments := append([]string{"k", "--dir", dir}, crashing()...)
					r := start(t, consumer.consumer(t), "k", "--dir", dir, "--wake", wake, "--restart-ms", "30000")
					start(t, producer.producer(t), append(arguments, "--kill-at", "750")...).killed(t)
					start(t, successor.producer(t), arguments...).succeed(t)
					got, want := withoutRescues(r.succeed(t)), withoutRescues(expected(t, crashing()))
					if got != want {
						t.Errorf("consumer read\n%s, want\n%s", got, want)
					}
				})
			}
		}
	})
}

// withoutRescues drops the count of rescues: a dead writer wakes nobody.
func withoutRescues(line string) string {
	line, _, _ = strings.Cut(line, " rescues=")
	return line
}

// Check that a consumer that is killed while it holds a frame does not hold up the
// producer, and that another consumer loses nothing. A reader of the test's own holds
// the ring at its start until both are attached.
func TestConsumerKilled(t *testing.T) {
	eachPair(t, func(t *testing.T, producer, consumer language) {
		for _, wake := range consumer.wakes {
			t.Run(wake, func(t *testing.T) {
				t.Parallel()
				dir := privateDir(t)
				w := start(t, producer.producer(t), append([]string{"v", "--dir", dir}, crashing()...)...)
				holder, err := ipc.Dial(t.Context(), "v", ipc.ReaderConfig{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				victim := start(t, consumer.consumer(t), "v", "--dir", dir, "--wake", wake, "--kill-at", "700")
				other := start(t, consumer.consumer(t), "v", "--dir", dir, "--wake", wake)
				awaitReaders(t, dir, "v", 3)
				if err := holder.Close(); err != nil {
					t.Fatal(err)
				}
				victim.killed(t)
				w.succeed(t)
				if got, want := other.succeed(t), expected(t, crashing()); producer.asCounted(got) != producer.asCounted(want) {
					t.Errorf("second consumer read\n%s, want\n%s", got, want)
				}
			})
		}
	})
}

// awaitReaders waits until n readers are attached to a ring.
func awaitReaders(t *testing.T, dir, name string, n int) {
	t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		s, err := ipc.OpenSnapshot(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		have := len(s.Readers())
		s.Close()
		if have == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d readers attached, want %d", have, n)
		}
	}
}

// Check that a named consumer that is killed and started again goes on with the frame it
// held, and that the producer waits for it meanwhile. In stream mode it goes on with the
// first frame whose release it had not sent: it may release in batches.
func TestNamedConsumerReturns(t *testing.T) {
	eachPair(t, func(t *testing.T, producer, consumer language) {
		dir := privateDir(t)
		named := []string{"n", "--dir", dir, "--wake", consumer.wakes[0], "--name", "reader", "--keep-ms", "60000"}
		victim := start(t, consumer.consumer(t), append(named, "--kill-at", "700")...)
		w := start(t, producer.producer(t), append([]string{"n", "--dir", dir}, crashing()...)...)
		victim.killed(t)
		line := start(t, consumer.consumer(t), named...).succeed(t)
		var frames, bytes, first uint64
		if _, err := fmt.Sscanf(line, "frames=%d bytes=%d first=%d", &frames, &bytes, &first); err != nil {
			t.Fatalf("consumer printed %q: %v", line, err)
		}
		exact := consumer.wakes[0] == "park"
		if first > 700 || exact && first < 700 || first+frames != 1500 || !strings.Contains(line, " gaps=0 torn=0 ") {
			t.Errorf("consumer read %q, want all frames from 700 on", line)
		}
		w.succeed(t)
	})
}
