//go:build linux

package ipc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Check that a directory in which others could place files is refused, and that
// the message says which, why and what to do.
func TestDirectoryRefused(t *testing.T) {
	base := testDir(t)
	at := func(name string) string { return filepath.Join(base, name) }
	for _, d := range []struct {
		name string
		make func(path string) error
		want string
	}{
		{"group", func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o770)) }, "mode 0770"},
		{"world", func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o777)) }, "mode 0777"},
		{"link", func(p string) error { return os.Symlink(base, p) }, "symbolic link"},
		{"file", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "not a directory"},
		{"other", func(p string) error {
			if os.Geteuid() != 0 {
				return errors.ErrUnsupported
			}
			return errors.Join(os.Mkdir(p, 0o700), os.Chown(p, 12345, 0))
		}, "uid 12345"},
	} {
		if err := d.make(at(d.name)); errors.Is(err, errors.ErrUnsupported) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		_, err := Listen(context.Background(), "x", WriterConfig{Dir: at(d.name)})
		if !errors.Is(err, ErrDir) || !strings.Contains(err.Error(), d.want) || !strings.Contains(err.Error(), at(d.name)) {
			t.Errorf("%s: error %v, want ErrDir naming the path and %q", d.name, err, d.want)
		}
	}
}

// Check that a directory is created with mode 0700 and that a path longer than a
// socket address can hold works.
func TestLongDirectory(t *testing.T) {
	dir := filepath.Join(testDir(t), strings.Repeat("long-", 30))
	name := strings.Repeat("n", proto.MaxNameBytes)
	w, err := Listen(context.Background(), name, WriterConfig{Dir: dir, Capacity: 1 << 16, FreeRun: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(context.Background())
	st, err := os.Stat(dir)
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %v (%v), want 0700", st.Mode(), err)
	}
	r, err := Dial(context.Background(), name, ReaderConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Check that names which would leave the directory, hide or not fit are refused
// by every entry.
func TestBadNames(t *testing.T) {
	dir, ctx := testDir(t), context.Background()
	for _, name := range []string{"", "a/b", "../x", ".x", "-x", "a b", strings.Repeat("n", proto.MaxNameBytes+1)} {
		_, listen := Listen(ctx, name, WriterConfig{Dir: dir})
		_, dial := Dial(ctx, name, ReaderConfig{Dir: dir})
		_, observe := Observe(ctx, name, ObserverConfig{Dir: dir})
		_, look := OpenSnapshot(dir, name)
		for _, err := range []error{listen, dial, observe, look} {
			if !errors.Is(err, proto.ErrName) {
				t.Errorf("name %q: error %v, want ErrName", name, err)
			}
		}
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
