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
	"golang.org/x/sys/unix"
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

// Check that whatever stands in the place of a ring's file without being one is
// refused at once, by its kind; nothing waits for the other end of a pipe.
func TestNotAFile(t *testing.T) {
	for what, place := range map[string]func(string) error{
		"a named pipe":    func(p string) error { return unix.Mkfifo(p, 0o600) },
		"a socket":        func(p string) error { return unix.Mknod(p, unix.S_IFSOCK|0o600, 0) },
		"a directory":     func(p string) error { return os.Mkdir(p, 0o700) },
		"a symbolic link": func(p string) error { return os.Symlink("/dev/null", p) },
		"a device":        func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
	} {
		t.Run(what, func(t *testing.T) {
			path := testDir(t)
			if err := place(filepath.Join(path, "x")); errors.Is(err, unix.EPERM) {
				t.Skip("needs root to make a device")
			} else if err != nil {
				t.Fatal(err)
			}
			dir, err := openDirectory(path, false)
			if err != nil {
				t.Fatal(err)
			}
			defer dir.close()
			before := descriptorCount(t)
			for _, flags := range []int{os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREATE} {
				f, err := dir.open("x", flags)
				if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), path+`/x" is `+what) {
					t.Errorf("flags %#x: %v, %v, want ErrFile that says %q", flags, f, err, what)
				}
			}
			if after := descriptorCount(t); after != before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

// Check that a pipe in the place of any file of a ring stops no entry of the
// package: each ends with a typed error, or goes on where that file does not matter.
func TestPipesForFiles(t *testing.T) {
	for _, suffix := range []string{segmentSuffix, tableSuffix, socketSuffix, lockSuffix} {
		dir := testDir(t)
		if err := unix.Mkfifo(filepath.Join(dir, "x"+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSnapshot(dir, "x"); !errors.Is(err, ErrFile) && !errors.Is(err, ErrNoRing) {
			t.Errorf("%s: look: %v", suffix, err)
		}
		if _, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, NoWait: true}); !errors.Is(err, ErrNoRing) {
			t.Errorf("%s: dial: %v, want ErrNoRing", suffix, err)
		}
		if rings, err := List(dir); err != nil || len(rings) != 1 || rings[0].Alive || rings[0].Err == nil {
			t.Errorf("%s: list: %+v, %v", suffix, rings, err)
		}
		w, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 16, FreeRun: true})
		if err == nil {
			err = w.Close(t.Context())
		}
		if err != nil && !errors.Is(err, ErrFile) {
			t.Errorf("%s: listen: %v, want ErrFile or success", suffix, err)
		}
		if _, err := Collect(dir); err != nil {
			t.Errorf("%s: collect: %v", suffix, err)
		}
		if left := filesIn(t, dir); len(left) > 0 && suffix != lockSuffix {
			t.Errorf("%s: left behind: %q", suffix, left)
		}
	}
}
