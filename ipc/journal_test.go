//go:build linux

package ipc

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

func journalText(t *testing.T, j *Journal) string {
	t.Helper()
	f, err := j.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writing(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func listenLong(t *testing.T, dir string) *Writer {
	t.Helper()
	w, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 16, Grace: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Check that a journal holds what was written over a ring's lives, whole or not at all,
// and goes with the ring.
func TestJournalLivesAsLongAsTheRing(t *testing.T) {
	dir := testDir(t)
	w := listenLong(t, dir)
	j := w.Journal()
	if _, err := j.Open(); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a new ring's journal: %v", err)
	}
	if err := j.Append([]byte("x")); !errors.Is(err, os.ErrInvalid) {
		t.Fatalf("append to nothing: %v", err)
	}
	if err := errors.Join(j.Replace(writing("one ")), j.Append([]byte("two "))); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := j.Replace(func(w io.Writer) error { return errors.Join(writing("no")(w), broken) })
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if err := j.Append([]byte("three")); err != nil {
		t.Fatal(err)
	}
	if err := w.Leave(); err != nil {
		t.Fatal(err)
	}
	w = listenLong(t, dir)
	if got := journalText(t, w.Journal()); w.Epoch() != 2 || got != "one two three" {
		t.Fatalf("epoch %d, journal %q", w.Epoch(), got)
	}
	if err := w.Journal().Replace(writing("new")); err != nil {
		t.Fatal(err)
	}
	if got := journalText(t, w.Journal()); got != "new" {
		t.Fatalf("journal %q", got)
	}
	w.Close(ended(t))
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Check that another ring of the name begins without a journal, and that gc takes one
// away that is all that is left, and one that was about to get its name.
func TestJournalOfAnotherRing(t *testing.T) {
	dir := testDir(t)
	for _, name := range []string{"x.state", ".x.state.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := listenLong(t, dir)
	if _, err := w.Journal().Open(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("journal: %v", err)
	}
	if err := w.Journal().Replace(writing("x")); err != nil {
		t.Fatal(err)
	}
	w.Leave()
	for _, name := range []string{"x.ring", "x.readers", "x.sock"} {
		os.Remove(filepath.Join(dir, name))
	}
	if got, err := Collect(dir); err != nil || len(got) != 1 || !got[0].Removed {
		t.Errorf("collected %v, %v", got, err)
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Check that what lies in a journal's place and is none is not read: a link, a
// directory, a file that others can write to.
func TestJournalRefused(t *testing.T) {
	dir := testDir(t)
	w := listenLong(t, dir)
	defer w.Close(ended(t))
	at := filepath.Join(dir, "x.state")
	for _, c := range []struct {
		make func() error
		want string
	}{
		{func() error { return os.Symlink("/etc/passwd", at) }, "symbolic link"},
		{func() error { return os.Mkdir(at, 0o700) }, "is a directory"},
		{func() error { return errors.Join(os.WriteFile(at, nil, 0o600), os.Chmod(at, 0o666)) }, "0666"},
	} {
		os.Remove(at)
		if err := c.make(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Journal().Open(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), at) {
			t.Errorf("%q: %v", c.want, err)
		}
	}
}

// Check that the readers of a ring that its writer left wait for the next one and miss
// nothing, and that the writer that left is of no use any more.
func TestLeave(t *testing.T) {
	dir := testDir(t)
	w := listenLong(t, dir)
	r := dial(t, "x", ReaderConfig{Dir: dir})
	put := func(w *Writer) error {
		c, err := w.Claim(t.Context(), proto.U8, 5)
		if err == nil {
			c.Commit()
		}
		return err
	}
	if err := put(w); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Leave(), w.Leave()); err != nil {
		t.Fatal(err)
	}
	if err := put(w); !errors.Is(err, os.ErrClosed) {
		t.Errorf("claim after leave: %v", err)
	}
	w = listenLong(t, dir)
	if err := put(w); err != nil {
		t.Fatal(err)
	}
	for n := range uint64(2) {
		f, err := r.Next(t.Context())
		if err != nil || f.Number() != n {
			t.Fatalf("frame %v, %v, want number %d", f, err, n)
		}
	}
	if err := errors.Join(r.Close(), w.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// ended is a context that is over: nobody has to be waited for.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
