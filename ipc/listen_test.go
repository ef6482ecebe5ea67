//go:build linux

package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
)

func listen(t *testing.T, name string, cfg WriterConfig) *Writer {
	t.Helper()
	if cfg.Capacity == 0 {
		cfg.Capacity = proto.MinCapacityBytes
	}
	w, err := Listen(t.Context(), name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		w.Close(ended)
	})
	return w
}

func dial(t *testing.T, name string, cfg ReaderConfig) *Reader {
	t.Helper()
	r, err := Dial(t.Context(), name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// write commits frames from..to-1 of one float64, the number.
func write(ctx context.Context, w *Writer, from, to int) error {
	for n := from; n < to; n++ {
		c, err := w.Claim(ctx, proto.F64, 1)
		if err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
		c.Float64s()[0] = float64(n)
		c.Commit()
	}
	return nil
}

func publish(t *testing.T, w *Writer, from, to int) {
	t.Helper()
	if err := write(t.Context(), w, from, to); err != nil {
		t.Fatal(err)
	}
}

func expectFrames(t *testing.T, r *Reader, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		f, err := r.Next(t.Context())
		if err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
		if v := f.Float64s(); len(v) != 1 || v[0] != float64(n) || f.Number() != uint64(n) {
			t.Fatalf("frame %d: number %d, values %v", n, f.Number(), v)
		}
	}
	if err := r.Release(); err != nil {
		t.Fatal(err)
	}
}

// Check that a second writer is refused while the first one lives, in whatever
// process, and is told its pid.
func TestSecondWriter(t *testing.T) {
	dir := testDir(t)
	first := spawn(t, "write", "-dir", dir, "-no-close")
	first.expect("listening")
	_, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 20})
	var held *HeldError
	if !errors.As(err, &held) || !errors.Is(err, ErrWriterAlive) {
		t.Fatalf("error %v, want a HeldError", err)
	}
	if pid := first.cmd.Process.Pid; held.PID != pid || !strings.Contains(err.Error(), fmt.Sprint("pid ", pid)) {
		t.Errorf("error %q names pid %d, want %d", err, held.PID, pid)
	}
	first.kill()
	w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 1 << 20})
	if w.Epoch() != 2 {
		t.Errorf("epoch %d after a restart, want 2", w.Epoch())
	}
}

// Check that an unfinished ring of another geometry, schema or metadata is
// refused with both values, that it can still be continued afterwards, and that
// Recreate replaces it.
func TestLeftoverMismatch(t *testing.T) {
	dir := testDir(t)
	p := spawn(t, "write", "-dir", dir, "-capacity", "1048576", "-count", "3", "-no-close")
	p.expect("written")
	p.kill()
	for _, c := range []struct {
		cfg  WriterConfig
		want []string
	}{
		{WriterConfig{Capacity: 1 << 21}, []string{"capacity", "1048576", "2097152"}},
		{WriterConfig{Capacity: 1 << 20, FrameLimit: 4096}, []string{"frame limit", "262144", "4096"}},
		{WriterConfig{Capacity: 1 << 20, Slots: 3}, []string{"slots", "64", "3"}},
		{WriterConfig{Capacity: 1 << 20, Meta: []byte(`{"a":1}`)}, []string{"metadata", `{"a":1}`}},
		{WriterConfig{Capacity: 1 << 20, Schema: proto.Schema{DType: proto.F32, NDim: proto.AnyNDim}}, []string{"schema"}},
		{WriterConfig{Capacity: 1 << 20, Policy: proto.PolicyDropNewest}, []string{"policy"}},
	} {
		c.cfg.Dir = dir
		_, err := Listen(t.Context(), "x", c.cfg)
		if !errors.Is(err, ErrMismatch) {
			t.Errorf("%v: error %v, want ErrMismatch", c.want, err)
			continue
		}
		for _, word := range c.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("error %q does not name %q", err, word)
			}
		}
	}
	w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 1 << 20})
	if n := w.State().Number; n != 3 || w.Epoch() != 2 {
		t.Errorf("continued at frame %d in epoch %d, want 3 and 2", n, w.Epoch())
	}
	if left := filesIn(t, dir); len(left) != 4 {
		t.Errorf("files %q, want four", left)
	}
}

// Check that Recreate replaces a ring that cannot be continued, and nothing else.
func TestRecreate(t *testing.T) {
	dir := testDir(t)
	p := spawn(t, "write", "-dir", dir, "-capacity", "1048576", "-count", "3", "-no-close")
	p.expect("written")
	p.kill()
	w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 1 << 21, Recreate: true})
	if n := w.State().Number; n != 0 || w.Epoch() != 1 {
		t.Errorf("recreated ring begins at frame %d in epoch %d, want 0 and 1", n, w.Epoch())
	}
}

// Check that a left-over segment that was a ring, or never one, is refused with the
// reason, and its sizes where it was cut; that its bytes stay; and that it is replaced
// when that is asked for, or when its creator never completed it.
func TestLeftoverDamaged(t *testing.T) {
	dir := testDir(t)
	p := spawn(t, "write", "-dir", dir, "-capacity", "65536", "-count", "3", "-no-close")
	p.expect("written")
	p.kill()
	path := filepath.Join(dir, "x.ring")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unready := bytes.Clone(whole)
	copy(unready[proto.IdReady:], make([]byte, 8))
	cfg := WriterConfig{Dir: dir, Capacity: 65536}
	for _, c := range []struct {
		what     string
		segment  []byte
		want     error // nil: replaced
		says     []string
		recreate bool
	}{
		{"a page short", whole[:len(whole)-4096], proto.ErrTruncated, []string{fmt.Sprint(len(whole) - 4096), fmt.Sprint(len(whole))}, false},
		{"header alone", whole[:proto.IdentityBytes], proto.ErrTruncated, []string{fmt.Sprint(proto.IdentityBytes), fmt.Sprint(len(whole))}, false},
		{"half a header", whole[:100], proto.ErrTruncated, []string{"100 bytes", fmt.Sprint(proto.IdentityBytes)}, false},
		{"empty", nil, proto.ErrTruncated, []string{"0 bytes", fmt.Sprint(proto.IdentityBytes)}, false},
		{"zeros", make([]byte, len(whole)), proto.ErrMagic, nil, false},
		{"recreated", whole[:len(whole)-4096], nil, nil, true},
		{"incomplete", unready, nil, nil, false},
	} {
		if err := os.WriteFile(path, c.segment, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.Recreate = c.recreate
		w, err := Listen(t.Context(), "x", cfg)
		if err == nil {
			if n := w.State().Number; n != 0 || w.Epoch() != 1 {
				t.Errorf("%s: goes on at frame %d in epoch %d, want a new ring", c.what, n, w.Epoch())
			}
			err = w.Close(t.Context())
			if c.want != nil {
				t.Errorf("%s: replaced, want %v", c.what, c.want)
			}
		}
		if !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, ErrLeftover) {
			t.Errorf("%s: error %v, want %v and ErrLeftover", c.what, err, c.want)
		}
		for _, word := range c.says {
			if !strings.Contains(fmt.Sprint(err), word) {
				t.Errorf("%s: error %q does not name %q", c.what, err, word)
			}
		}
		if c.want == nil {
			continue
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, c.segment) {
			t.Errorf("%s: the bytes changed, %v", c.what, err)
		}
	}
}

// Check that an unfinished ring is continued when its reader table is gone or broken:
// its readers come back by position.
func TestLeftoverTable(t *testing.T) {
	for what, spoil := range map[string]func(string) error{
		"gone":  os.Remove,
		"empty": func(p string) error { return os.Truncate(p, 0) },
		"other": func(p string) error { return os.WriteFile(p, make([]byte, 1<<16), 0o600) },
	} {
		dir := testDir(t)
		p := spawn(t, "write", "-dir", dir, "-capacity", "65536", "-count", "3", "-no-close")
		p.expect("written")
		p.kill()
		if err := spoil(filepath.Join(dir, "x.readers")); err != nil {
			t.Fatal(err)
		}
		w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 65536})
		if n := w.State().Number; n != 3 || w.Epoch() != 2 {
			t.Errorf("%s: continued at frame %d in epoch %d, want 3 and 2", what, n, w.Epoch())
		}
		r := dial(t, "x", ReaderConfig{Dir: dir})
		for n := range uint64(3) {
			if f, err := r.Next(t.Context()); err != nil || f.Number() != n {
				t.Fatalf("%s: frame %d: %v, %v", what, n, f, err)
			}
		}
	}
}

// Check that a segment with a second name, one others can write to and a link in
// its place are refused.
func TestLeftoverSquatted(t *testing.T) {
	dir, outside := testDir(t), testDir(t)
	path, target := filepath.Join(dir, "x.ring"), filepath.Join(outside, "target")
	if err := os.WriteFile(target, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, squat := range map[string]func() error{
		"hard link": func() error { return os.Link(target, path) },
		"symlink":   func() error { return os.Symlink(target, path) },
		"mode": func() error {
			return errors.Join(os.WriteFile(path, make([]byte, 1<<20), 0o600), os.Chmod(path, 0o666))
		},
		"directory": func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := squat(); err != nil {
			t.Fatal(err)
		}
		if w, err := Listen(t.Context(), "x", WriterConfig{Dir: dir}); err == nil {
			w.Close(t.Context())
			t.Errorf("%s: accepted", what)
		}
		if err := os.Remove(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Check that a Close given up before a first reader came leaves nothing.
func TestCloseGivenUp(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir})
	publish(t, w, 0, 3)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Fatalf("a cancelled Close left %q", left)
	}
}

// Check that what a finished writer could not remove is replaced by a new ring.
func TestLeftoverFinished(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir})
	publish(t, w, 0, 3)
	r := dial(t, "x", ReaderConfig{Dir: dir})
	for range 3 {
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	w.ring.Finish()
	segment, err := os.ReadFile(filepath.Join(dir, "x.ring"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.ring"), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	again := listen(t, "x", WriterConfig{Dir: dir})
	if again.Epoch() != 1 || again.State().Number != 0 {
		t.Errorf("epoch %d, frame %d, want a new ring", again.Epoch(), again.State().Number)
	}
}

// Check that a directory in the place of a ring's file is named as what it is, with the
// ring, and neither removed nor said to be by Recreate.
func TestDirectoryForAFile(t *testing.T) {
	for _, suffix := range []string{segmentSuffix, lockSuffix} {
		for _, recreate := range []bool{false, true} {
			dir := testDir(t)
			at := filepath.Join(dir, "x"+suffix)
			if err := os.Mkdir(at, 0o700); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			_, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Recreate: recreate, Logger: slog.New(slog.NewTextHandler(&said, nil))})
			if !errors.Is(err, ErrFile) || errors.Is(err, ErrLeftover) || said.Len() > 0 {
				t.Errorf("%s, recreate %v: %v; said %q", suffix, recreate, err, said.String())
				continue
			}
			for _, want := range []string{`ring "x"`, at, "is a directory", "remove it"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s, recreate %v: %v, want %q", suffix, recreate, err, want)
				}
			}
			os.Remove(at)
		}
	}
}
