//go:build linux

package ipc

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// Check that the end of a context wakes a reader that sleeps, in either wake mode,
// and that it can go on with another.
func TestReaderCancelled(t *testing.T) {
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		dir := testDir(t)
		w := listen(t, "x", WriterConfig{Dir: dir})
		r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake})
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := r.Next(ctx)
			result <- err
		}()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
		publish(t, w, 0, 3)
		expectFrames(t, r, 0, 3)
	}
}

// Check that the end of a context wakes a writer that waits at the gate.
func TestWriterCancelled(t *testing.T) {
	w := listen(t, "x", WriterConfig{Dir: testDir(t)})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		for {
			c, err := w.Claim(ctx, proto.F64, 1)
			if err != nil {
				result <- err
				return
			}
			c.Commit()
		}
	}()
	for {
		if b, ok := w.Blocked(); ok {
			if !b.FirstReader {
				t.Errorf("blocked by %+v, want by the lack of a first reader", b)
			}
			break
		}
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// Check that Dial waits for a ring, says so once, and stops waiting with its
// context; and that NoWait does not wait.
func TestDialWaits(t *testing.T) {
	dir := testDir(t)
	if _, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, NoWait: true}); !errors.Is(err, ErrNoRing) {
		t.Errorf("error %v, want ErrNoRing", err)
	}
	if _, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir + "/missing", NoWait: true}); !errors.Is(err, ErrNoRing) {
		t.Errorf("error %v, want ErrNoRing", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Dial(ctx, "x", ReaderConfig{Dir: dir, OnWait: func(string) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	waits := make(chan string, 10)
	type dialed struct {
		r   *Reader
		err error
	}
	result := make(chan dialed)
	go func() {
		r, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, OnWait: func(name string) { waits <- name }})
		result <- dialed{r, err}
	}()
	if name := <-waits; name != "x" {
		t.Errorf("waits for %q", name)
	}
	w := listen(t, "x", WriterConfig{Dir: dir})
	d := <-result
	if d.err != nil {
		t.Fatal(d.err)
	}
	publish(t, w, 0, 1)
	expectFrames(t, d.r, 0, 1)
	d.r.Close()
	if len(waits) > 0 {
		t.Error("said more than once that it waits")
	}
}

// Check that using a writer or reader after Close is an error, that Close may be
// repeated, and that the end of a ring reaches both wake modes.
func TestAfterClose(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir})
	park := dial(t, "x", ReaderConfig{Dir: dir})
	stream := dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})
	publish(t, w, 0, 2)
	closed := make(chan error)
	go func() { closed <- w.Close(t.Context()) }()
	for _, r := range []*Reader{park, stream} {
		expectFrames(t, r, 0, 2)
		if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want EOF", err)
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
		if err := r.Release(); err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := w.Claim(t.Context(), proto.F64, 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	if w.Readers() != nil {
		t.Error("readers after Close")
	}
}

// Check that an array is published with its shape and elements, also a transposed
// one, and that a frame of another type than declared is refused.
func TestPublish(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Schema: proto.Schema{DType: proto.F32, NDim: proto.AnyNDim}})
	r := dial(t, "x", ReaderConfig{Dir: dir})
	a, err := nd.Make(proto.F32, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	v, err := nd.Slice[float32](a)
	if err != nil {
		t.Fatal(err)
	}
	for i := range v {
		v[i] = float32(i)
	}
	turned, err := a.Transpose()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Publish(t.Context(), turned); err != nil {
		t.Fatal(err)
	}
	f, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Array()
	if err != nil || got.Dim(0) != 3 || got.Dim(1) != 2 {
		t.Fatalf("array %v, %v", got, err)
	}
	if x, err := got.Value(2, 1); err != nil || x != float32(5) {
		t.Errorf("element (2,1) is %v (%v), want 5", x, err)
	}
	if _, err := w.Claim(t.Context(), proto.F64, 1); !errors.Is(err, proto.ErrShape) {
		t.Errorf("error %v, want ErrShape", err)
	}
}
