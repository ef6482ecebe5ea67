//go:build linux

package conformance

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// killAtEnd kills a producer that has ended ring x and waits for its readers.
func killAtEnd(t *testing.T, p *process, dir string) {
	t.Helper()
	var final [8]byte
	for end := time.Now().Add(deadline); binary.LittleEndian.Uint64(final[:]) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v does not end its ring\n%s", p.cmd.Args, &p.err)
		}
		if f, err := os.Open(filepath.Join(dir, "x.ring")); err == nil {
			_, _ = f.ReadAt(final[:], proto.IdentityBytes+proto.WrFinal) // it may not be there yet
			f.Close()
		}
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.killed(t)
}

// Check that a reader's successor does not get a frame twice that the reader released
// before it died, behind the back of a new producer: in the table of the one before.
func TestReleasedInTheOldTable(t *testing.T) {
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			front := []string{"x", "--dir", dir, "--until", "3"}
			reader := []string{"x", "--dir", dir, "--name", "kept", "--keep-ms", "60000"}
			w := start(t, goRole("producer")(t), front...)
			start(t, goRole("consumer")(t), append(reader, "--kill-at", "1")...).killed(t)
			killAtEnd(t, w, dir)
			old, err := os.OpenFile(filepath.Join(dir, "x.readers"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			w = start(t, l.producer(t), front...)
			awaitNewTable(t, w, dir, old)
			cursor := binary.LittleEndian.AppendUint64(nil, 2*proto.FrameBytes(40))
			if _, err := old.WriteAt(cursor, proto.TableHeadBytes+proto.SlCursor); err != nil {
				t.Fatal(err)
			}
			want := "frames=1 bytes=40 first=2 gaps=0 torn=0"
			if got := start(t, goRole("consumer")(t), reader...).succeed(t); !strings.HasPrefix(got, want) {
				t.Errorf("consumer read\n%s, want\n%s", got, want)
			}
			w.succeed(t)
		})
	}
}

// awaitNewTable waits until a producer has put a reader table in the place of an old one.
func awaitNewTable(t *testing.T, p *process, dir string, old *os.File) {
	t.Helper()
	before, err := old.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		now, err := os.Stat(filepath.Join(dir, "x.readers"))
		if err == nil && !os.SameFile(before, now) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v makes no reader table\n%s", p.cmd.Args, &p.err)
		}
	}
}

// Check that a producer in every language goes on with a ring that has ended and owes
// frames, to a first reader or to one whose place is kept, so that they lose nothing when
// the producer before was killed while it waited for them.
func TestEndedRingOwesFrames(t *testing.T) {
	arguments := []string{"--until", "3"}
	for _, l := range languages() {
		t.Run(l.name+" first reader", func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			front := append([]string{"x", "--dir", dir}, arguments...)
			killAtEnd(t, start(t, goRole("producer")(t), front...), dir)
			before, err := ipc.OpenSnapshot(dir, "x")
			if err != nil {
				t.Fatal(err)
			}
			id := before.Segment.Identity().RingID
			before.Close()
			w := start(t, l.producer(t), front...)
			r, err := ipc.Dial(t.Context(), "x", ipc.ReaderConfig{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			for n := range uint64(3) {
				if f, err := r.Next(t.Context()); err != nil || f.Number() != n {
					t.Fatalf("frame %v, %v, want number %d", f, err, n)
				}
			}
			if now := r.Identity().RingID; now != id {
				t.Errorf("ring %v was replaced by %v", id, now)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			w.succeed(t)
		})
		t.Run(l.name+" kept reader", func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			front := append([]string{"x", "--dir", dir}, arguments...)
			reader := []string{"x", "--dir", dir, "--name", "kept", "--keep-ms", "60000"}
			w := start(t, goRole("producer")(t), front...)
			start(t, goRole("consumer")(t), append(reader, "--kill-at", "1")...).killed(t)
			killAtEnd(t, w, dir)
			w = start(t, l.producer(t), front...)
			want := "frames=2 bytes=80 first=1 gaps=0 torn=0"
			if got := start(t, goRole("consumer")(t), reader...).succeed(t); !strings.HasPrefix(got, want) {
				t.Errorf("consumer read\n%s, want\n%s", got, want)
			}
			w.succeed(t)
		})
	}
}

// Check that a goodbye that its producer is killed before it reads is heard by nobody: the
// place stays, behind, with the producer that takes the ring up, and nothing is lost.
func TestGoodbyeToADeadProducer(t *testing.T) {
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			front := []string{"e", "--dir", dir, "--until", "3"}
			before := start(t, goRole("producer")(t), front...)
			r, err := ipc.Dial(t.Context(), "e", ipc.ReaderConfig{Dir: dir, Name: "kept", Keep: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if f, err := r.Next(t.Context()); err != nil || f.Number() != 0 {
				t.Fatalf("frame %v, %v, want number 0", f, err)
			}
			before.stop(t)
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			before.kill(t)
			w := start(t, l.producer(t), front...)
			want := "frames=2 bytes=80 first=1 gaps=0 torn=0"
			if got := start(t, goRole("consumer")(t), kept(dir)...).succeed(t); !strings.HasPrefix(got, want) {
				t.Errorf("consumer read\n%s, want\n%s", got, want)
			}
			w.succeed(t)
		})
	}
}

// stop stops a process and waits until it stands still.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("%v does not stop: %#x, %v", p.cmd.Args, status, err)
	}
}
