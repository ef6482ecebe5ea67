package feed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/proto/npy"
	"golang.org/x/sys/unix"
)

// next fills a new array with the next frame.
func next(t *testing.T, f Feed, n uint64) (nd.Array, error) {
	t.Helper()
	a, err := nd.Make(f.DType(), f.Shape()...)
	if err != nil {
		t.Fatal(err)
	}
	return a, f.Fill(a, n)
}

// Check that computed frames of every dtype follow their number, whatever was
// dropped between.
func TestComputed(t *testing.T) {
	for dt := proto.F64; dt.Valid(); dt++ {
		f, err := Open(t.Context(), Options{Spec: "linspace", DType: dt, Shape: []int{1}})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Drop(); err != nil {
			t.Fatal(err)
		}
		a, err := next(t, f, 6)
		want := "7"
		switch dt {
		case proto.Bool:
			want = "true"
		case proto.C64, proto.C128:
			want = "(7+0i)"
		}
		if got := a.Preview(1); err != nil || got[0] != want {
			t.Errorf("%v: %v, %v, want %s", dt, got, err, want)
		}
	}
}

// Check that raw input gives whole frames, that a cut one is ErrPartial, and that
// dropping passes over exactly one.
func TestRaw(t *testing.T) {
	f, err := Open(t.Context(), Options{Spec: "stdin", DType: proto.U8, Shape: []int{3}, Stdin: bytes.NewReader([]byte("abcdefghij"))})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := next(t, f, 0); err != nil || a.Preview(1)[0] != "97" {
		t.Errorf("first frame %v, %v", a, err)
	}
	if err := f.Drop(); err != nil {
		t.Fatal(err)
	}
	if n := f.Pending(); n != 4 {
		t.Errorf("%d bytes are in no frame after 6 of 10, want 4", n)
	}
	if a, err := next(t, f, 1); err != nil || a.Preview(1)[0] != "103" {
		t.Errorf("third frame %v, %v", a, err)
	}
	if _, err := next(t, f, 2); !errors.Is(err, ErrPartial) {
		t.Errorf("cut frame: %v, want ErrPartial", err)
	}
	f, _ = Open(t.Context(), Options{Spec: "stdin", DType: proto.U8, Shape: []int{3}, Stdin: bytes.NewReader([]byte("ab"))})
	if err := f.Drop(); !errors.Is(err, ErrPartial) {
		t.Errorf("drop of a cut frame: %v, want ErrPartial", err)
	}
	f, _ = Open(t.Context(), Options{Spec: "stdin", DType: proto.U8, Shape: []int{3}, Stdin: bytes.NewReader(nil)})
	if _, err := next(t, f, 0); err != io.EOF {
		t.Errorf("no input: %v, want io.EOF", err)
	}
	if err := f.Drop(); err != io.EOF {
		t.Errorf("drop without input: %v, want io.EOF", err)
	}
}

// Check that the end of the context ends a read that gets nothing, before and within a
// frame, whose bytes it tells, of a pipe and of one in blocking mode, as stdin is.
func TestRawInterrupted(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		for _, sent := range []string{"", "ab"} {
			in, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			defer out.Close()
			if blocking {
				in.Fd() // this is how a file becomes one
			}
			ctx, cancel := context.WithCancel(t.Context())
			f, err := Open(ctx, Options{Spec: "stdin", DType: proto.U8, Shape: []int{3}, Stdin: in})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.WriteString("xyz" + sent); err != nil {
				t.Fatal(err)
			}
			if _, err := next(t, f, 0); err != nil {
				t.Errorf("first frame: %v", err)
			}
			time.AfterFunc(time.Millisecond, cancel)
			if _, err := next(t, f, 1); !errors.Is(err, context.Canceled) {
				t.Errorf("after %q: %v, want that of the context", sent, err)
			}
			if n := f.Pending(); n != len(sent) {
				t.Errorf("%d bytes are in no frame, want the %d of %q", n, len(sent), sent)
			}
			if err := f.Drop(); !errors.Is(err, context.Canceled) {
				t.Errorf("drop: %v, want that of the context", err)
			}
		}
	}
}

// Check that the end of the context ends the wait for the other end of a named pipe,
// and for an array that does not come.
func TestNPYInterrupted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.npy")
	if err := unix.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := ReadNPY(ctx, file); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody at the other end: %v, want that of the context", err)
	}
	silent, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := ReadNPY(ctx, file); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing comes: %v, want that of the context", err)
	}
}

// Check that an array of two and more dimensions is fed row by row, another one as
// one frame, and one without rows not at all.
func TestNPY(t *testing.T) {
	for _, c := range []struct{ shape, frame []int }{{[]int{3, 2}, []int{2}}, {[]int{6}, []int{6}}, {[]int{3, 2, 1}, []int{2, 1}}} {
		f, err := Open(t.Context(), Options{Spec: "npy:" + writeNPY(t, c.shape...)})
		if err != nil {
			t.Fatal(err)
		}
		frames := 0
		for ; ; frames++ {
			if _, err = next(t, f, uint64(frames)); err != nil {
				break
			}
		}
		want := 6
		for _, n := range c.frame {
			want /= n
		}
		if err != io.EOF || frames != want || !slices.Equal(f.Shape(), c.frame) {
			t.Errorf("shape %v: %d frames of %v, %v", c.shape, frames, f.Shape(), err)
		}
		if err := f.Drop(); err != io.EOF {
			t.Errorf("drop at the end: %v, want io.EOF", err)
		}
	}
	if _, err := Open(t.Context(), Options{Spec: "npy:" + writeNPY(t, 0, 3)}); !errors.Is(err, proto.ErrShape) {
		t.Errorf("no rows: %v, want ErrShape", err)
	}
}

func writeNPY(t *testing.T, shape ...int) string {
	t.Helper()
	a, err := nd.Make(proto.F64, shape...)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.npy")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := npy.Write(out, a); err != nil {
		t.Fatal(err)
	}
	return file
}

// Check that options no frame can have are refused before anything is made.
func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want error
	}{
		"unknown":  {Options{Spec: "moon"}, ErrSource},
		"dims":     {Options{Spec: "linspace", DType: proto.F64, Shape: make([]int, 9)}, proto.ErrShape},
		"negative": {Options{Spec: "linspace", DType: proto.F64, Shape: []int{-1}}, proto.ErrShape},
		"overflow": {Options{Spec: "random", DType: proto.F64, Shape: []int{1 << 40, 1 << 40}}, proto.ErrShape},
		"endless":  {Options{Spec: "stdin", DType: proto.F64, Shape: []int{0}, Stdin: bytes.NewReader(nil)}, proto.ErrShape},
		"no file":  {Options{Spec: "npy:/nowhere/none.npy"}, os.ErrNotExist},
	} {
		if _, err := Open(t.Context(), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
