//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a killed reader stops gating: a writer that it blocked goes on.
func TestReaderKilled(t *testing.T) {
	for _, wake := range []string{"park", "stream"} {
		t.Run(wake, func(t *testing.T) {
			dir := testDir(t)
			write := spawn(t, "write", "-dir", dir, "-capacity", "65536", "-count", "100000", "-wait")
			stuck := spawn(t, "read", "-dir", dir, "-wake", wake, "-stop-after", "1")
			fine := spawn(t, "read", "-dir", dir)
			stuck.expect("attached")
			fine.expect("attached")
			write.say("go")
			stuck.expect("stopped")
			stuck.kill()
			if got := fine.expect("read "); !strings.HasPrefix(got, "100000 ") {
				t.Errorf("the other reader read %s", got)
			}
			fine.wait()
			write.wait()
		})
	}
}

// Check that readers see a gapless sequence without duplicates while their writer
// is killed again and again and restarted.
func TestWriterKilled(t *testing.T) {
	dir := testDir(t)
	const total, lives = 400000, 5
	var readers, logs []*process
	defer func() {
		for _, p := range logs {
			if t.Failed() {
				t.Log(p.errs.String())
			}
		}
	}()
	write := spawn(t, "write", "-dir", dir, "-count", "1", "-no-close")
	write.expect("written")
	for _, wake := range []string{"park", "stream", "park"} {
		r := spawn(t, "read", "-dir", dir, "-wake", wake, "-restart", "30s")
		r.expect("attached")
		readers = append(readers, r)
	}
	for life := range lives {
		write.kill()
		count := total * (life + 1) / lives
		args := []string{"-dir", dir, "-count", strconv.Itoa(count), "-v"}
		if life < lives-1 {
			args = append(args, "-no-close")
		}
		write = spawn(t, "write", args...)
		logs = append(logs, write)
		if life%2 == 0 && life < lives-1 {
			write.expect("listening") // and be killed in full flow
		} else {
			write.expect("written")
		}
	}
	for _, r := range readers {
		got := r.expect("read ")
		if !strings.HasPrefix(got, strconv.Itoa(total)+" ") || !strings.HasSuffix(got, fmt.Sprint(" ", lives+1)) {
			t.Errorf("read %s, want %d frames, epoch %d at last", got, total, lives+1)
		}
		r.wait()
	}
	write.wait()
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Check that a reader whose writer died gets everything committed, then
// ErrWriterLost, in both wake modes.
func TestWriterLost(t *testing.T) {
	for _, wake := range []string{"park", "stream"} {
		dir := testDir(t)
		write := spawn(t, "write", "-dir", dir, "-count", "50", "-no-close")
		write.expect("written")
		r := spawn(t, "read", "-dir", dir, "-restart", "1ms", "-wake", wake, "-elements", "5")
		r.expect("attached")
		write.kill()
		for r.lines.Scan() {
		}
		err := r.cmd.Wait()
		r.ended = true
		if said := r.errs.String(); err == nil || !strings.Contains(said, "after 50 frames") || !strings.Contains(said, ErrWriterLost.Error()) {
			t.Errorf("%s: reader ended with %v and said %q", wake, err, said)
		}
	}
}

// Check that a named reader keeps its gate for the time it asked for, that its
// name is in use while it lives, and that it goes on where it was.
func TestNamedReaderReturns(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-capacity", "65536", "-count", "100000", "-wait")
	args := []string{"-dir", dir, "-name", "n", "-keep", "30s"}
	first := spawn(t, "read", append(args, "-stop-after", "500")...)
	first.expect("attached")
	_, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, Name: "n"})
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), fmt.Sprint("pid ", first.cmd.Process.Pid)) {
		t.Errorf("second reader of a name: error %v, want a refusal that names the pid", err)
	}
	write.say("go")
	first.expect("stopped")
	first.kill()
	second := spawn(t, "read", args...)
	if got := second.expect("resumed"); got != "499" {
		t.Errorf("resumed at frame %s, want 499: the one held when it was killed", got)
	}
	if got := second.expect("read "); !strings.HasPrefix(got, "100000 ") {
		t.Errorf("read %s", got)
	}
	second.wait()
	write.wait()
}

// Check that a named reader that dies before it heard of its writer's successor gets
// no frame twice, although the last one it released counts in the old table only.
func TestNamedReaderReleasedInOldTable(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-count", "10", "-no-close")
	write.expect("written")
	r := dial(t, "x", ReaderConfig{Dir: dir, Name: "n", Keep: time.Minute})
	for range 3 {
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write.kill()
	spawn(t, "write", "-dir", dir, "-count", "20", "-no-close").expect("listening")
	if err := r.Release(); err != nil { // of frame 2, in the table it knows
		t.Fatal(err)
	}
	r.session.close() // as its death does
	again := dial(t, "x", ReaderConfig{Dir: dir, Name: "n", Keep: time.Minute})
	f, err := again.Next(t.Context())
	if err != nil || f.Number() != 3 {
		t.Errorf("frame %v, %v, want number 3", f, err)
	}
}

// Check that the grace of a named reader ends.
func TestNamedReaderForgotten(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-capacity", "65536", "-count", "100000", "-wait")
	first := spawn(t, "read", "-dir", dir, "-name", "n", "-keep", (50 * time.Millisecond).String(), "-stop-after", "5")
	first.expect("attached")
	write.say("go")
	first.expect("stopped")
	first.kill()
	write.wait() // is blocked by n until its grace is over
}

// Check that a reader that is busy with what it has reconnects to a new writer at
// once, and not only when it runs dry, long after its grace.
func TestBusyReaderReconnects(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-capacity", "1048576", "-count", "1000", "-no-close")
	write.expect("written")
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake})
		for range 2 {
			if _, err := r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		epoch := r.Epoch()
		write.kill()
		write = spawn(t, "write", "-dir", dir, "-capacity", "1048576", "-count", "1000", "-no-close")
		write.expect("written")
		f, err := r.Next(t.Context())
		if err != nil || f.Number() != 2 || r.Epoch() != epoch+1 {
			t.Errorf("frame %v, %v in epoch %d, want number 2 in epoch %d", f, err, r.Epoch(), epoch+1)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Check that readers that look for a new writer while one ends the ring and leaves see
// all frames and the end, and no loss of the writer: in both wake modes, at the end
// already or given up before, and as observers.
func TestRingEndsWhileReaderReconnects(t *testing.T) {
	const count, wait = 50, 300 * time.Millisecond
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-count", fmt.Sprint(count), "-no-close")
	write.expect("written")
	observer, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir, RestartWait: wait})
	if err != nil {
		t.Fatal(err)
	}
	next := map[string]func(context.Context) (*ring.Frame, error){"observer": observer.Next}
	had := map[string]uint64{"observer": 20}
	closers := []func() error{observer.Close}
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		for _, frames := range []uint64{20, count} {
			r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake, RestartWait: wait})
			name := fmt.Sprintf("wake mode %d at frame %d", wake, frames)
			next[name], had[name], closers = r.Next, frames, append(closers, r.Close)
		}
	}
	for name, frames := range had {
		for range frames {
			if _, err := next[name](t.Context()); err != nil {
				t.Fatal(name, err)
			}
		}
	}
	write.kill()
	w, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 20, Grace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, frames := range had {
		for ; ; frames++ {
			f, err := next[name](t.Context())
			if err == io.EOF {
				break
			}
			if err != nil || f.Number() != frames {
				t.Fatalf("%s: frame %v, %v, want number %d", name, f, err, frames)
			}
		}
		if frames != count {
			t.Errorf("%s: the ring ended after %d frames, want %d", name, frames, count)
		}
	}
	for _, closeIt := range closers {
		if err := closeIt(); err != nil {
			t.Error(err)
		}
	}
}

// Check that a writer killed while it waits for a reader to end the ring loses that
// reader nothing: its successor goes on where it was, and so does the reader, which was
// dead at the time.
func TestWriterKilledWhileItEndsTheRing(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-count", "50")
	named := []string{"-dir", dir, "-name", "n", "-keep", "60s"}
	first := spawn(t, "read", append(named, "-stop-after", "10")...)
	first.expect("stopped")
	for {
		s, err := OpenSnapshot(dir, "x")
		if err != nil {
			t.Fatal(err)
		}
		ended := s.Segment.State().Ended
		s.Close()
		if ended {
			break
		}
		time.Sleep(time.Millisecond)
	}
	first.kill()
	write.kill()
	if _, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 21}); !errors.Is(err, ErrMismatch) {
		t.Errorf("another geometry: error %v, want ErrMismatch", err)
	}
	write = spawn(t, "write", "-dir", dir, "-count", "50")
	second := spawn(t, "read", named...)
	if got := second.expect("resumed"); got != "9" {
		t.Errorf("resumed at frame %s, want 9: the one held when it was killed", got)
	}
	if got := second.expect("read "); !strings.HasPrefix(got, "50 ") {
		t.Errorf("read %s", got)
	}
	second.wait()
	write.wait()
}

// Check that a named reader that leaves finds the frame it held again, and that one that
// closes gives its place up.
func TestNamedReaderLeaves(t *testing.T) {
	dir := testDir(t)
	w := listenLong(t, dir)
	cfg := ReaderConfig{Dir: dir, Name: "n", Keep: time.Minute}
	r := dial(t, "x", cfg)
	for range 3 {
		c, err := w.Claim(t.Context(), proto.U8, 5)
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
	}
	for range 2 {
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.Leave(), r.Leave(), r.Close()); err != nil {
		t.Fatal(err)
	}
	r = dial(t, "x", cfg)
	f, err := r.Next(t.Context())
	if err != nil || f.Number() != 1 || r.Welcome().Flags&proto.WelcomeResumed == 0 {
		t.Fatalf("frame %v, %v, flags %#x; want frame 1, resumed", f, err, r.Welcome().Flags)
	}
	r.Close()
	r = dial(t, "x", cfg)
	if r.Welcome().Flags&proto.WelcomeResumed != 0 {
		t.Error("a place that was given up was resumed")
	}
	r.Close()
	w.Close(t.Context())
}
