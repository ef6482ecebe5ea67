//go:build linux

package ipc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

// Check that a ring whose reader died after its last release, before it could see the
// end, stays until that reader came back for it and said goodbye, in both wake modes.
func TestEndWaitsForGoodbye(t *testing.T) {
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		dir, waits := testDir(t), make(chan struct{})
		h := &hook{Handler: slog.DiscardHandler, message: "waiting for reader that may come back for the end", run: func() { close(waits) }}
		w, err := Listen(t.Context(), "x", WriterConfig{Dir: dir, Capacity: 1 << 16, Logger: slog.New(h)})
		if err != nil {
			t.Fatal(err)
		}
		cfg := ReaderConfig{Dir: dir, Wake: wake, Name: "n", Keep: time.Hour, NoWait: true}
		r := dial(t, "x", cfg)
		put(t, w)
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Release(), r.Leave()); err != nil {
			t.Fatal(err)
		}
		awaitLost(t, w)
		closed := make(chan error, 1)
		go func() { closed <- w.Close(context.Background()) }()
		select {
		case err := <-closed:
			t.Fatalf("the ring is gone before its reader came back: %v", err)
		case <-waits:
		}
		r = dial(t, "x", cfg)
		if f, err := r.Next(t.Context()); err != io.EOF {
			t.Fatalf("frame %v, %v, want the end", f, err)
		}
		select {
		case err := <-closed:
			t.Fatalf("the ring is gone before its reader said goodbye: %v", err)
		default:
		}
		if err := errors.Join(r.Close(), <-closed); err != nil {
			t.Fatal(err)
		}
	}
}

// Check that the end of a ring does not wait longer for a reader that came back to it
// than that asked for, nor beyond its context.
func TestEndWaitsNoLongerThanAsked(t *testing.T) {
	for _, c := range []struct {
		keep time.Duration
		ctx  context.Context
		want error
	}{{50 * time.Millisecond, context.Background(), nil}, {time.Hour, ended(t), context.Canceled}} {
		w := listenLong(t, testDir(t))
		r := dial(t, "x", ReaderConfig{Dir: w.Dir(), Name: "n", Keep: c.keep})
		if err := w.Close(c.ctx); !errors.Is(err, c.want) {
			t.Errorf("keep %v: %v, want %v", c.keep, err, c.want)
		}
		if _, err := r.Next(t.Context()); err != io.EOF {
			t.Errorf("keep %v: %v, want the end", c.keep, err)
		}
		r.Close()
	}
}

// Check that a writer that waits for goodbyes tells of a reader that dies meanwhile.
func TestDeathDuringFarewellIsTold(t *testing.T) {
	dir, told := testDir(t), make(chan struct{})
	h := &hook{Handler: slog.DiscardHandler, message: "waiting for reader that may come back for the end", run: func() { close(told) }}
	w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 1 << 16, Logger: slog.New(h)})
	r := dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream, Name: "n", Keep: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan error, 1)
	go func() { closed <- w.Close(ctx) }()
	for waits := false; !waits; {
		answer := make(chan bool)
		w.server.loop.post(func() { answer <- w.server.alone != nil })
		waits = <-answer
	}
	if err := r.Leave(); err != nil {
		t.Fatal(err)
	}
	<-told
	cancel()
	if err := <-closed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Check that the end of a ring that may not wait is none too early where nobody is waited
// for: not a reader that said goodbye, nor one that has no name.
func TestEndAtOnce(t *testing.T) {
	for name, goodbye := range map[string]bool{"n": true, "": false} {
		w := listenLong(t, testDir(t))
		r := dial(t, "x", ReaderConfig{Dir: w.Dir(), Name: name, Keep: time.Hour})
		if goodbye {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(ended(t)); err != nil {
			t.Errorf("reader %q: %v", name, err)
		}
		r.Close()
	}
}

// Check that the end of a ring names a reader that lives and holds it up: that has not
// read everything, and that has and says nothing.
func TestSilentReaderIsTold(t *testing.T) {
	for message, behind := range map[string]bool{"still waiting for reader": true, "waiting for the goodbye of reader": false} {
		t.Run(message, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			h := &hook{Handler: slog.DiscardHandler, message: message, run: cancel}
			w := listen(t, "x", WriterConfig{Dir: testDir(t), Capacity: 1 << 16, Logger: slog.New(h)})
			r := dial(t, "x", ReaderConfig{Dir: w.Dir(), Name: "n", Keep: time.Hour})
			defer r.Close()
			if behind {
				put(t, w)
			}
			if err := w.Close(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// put commits one frame.
func put(t *testing.T, w *Writer) {
	t.Helper()
	c, err := w.Claim(t.Context(), proto.U8, 5)
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
}

// awaitLost waits until the writer knows that its one reader is gone.
func awaitLost(t *testing.T, w *Writer) {
	t.Helper()
	for all := w.Readers(); len(all) != 1 || all[0].State != proto.SlotLost; all = w.Readers() {
		time.Sleep(time.Millisecond)
	}
}
