//go:build linux

package ipc

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

// hook is a log handler that runs a function at one message, on whichever goroutine
// logs it.
type hook struct {
	slog.Handler
	message string
	run     func()
}

func (h *hook) Enabled(context.Context, slog.Level) bool { return true }

func (h *hook) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.run()
	}
	return nil
}

// Check that the first reader in stream mode is told of what is committed between the
// choice of its place and its welcome, also when nothing is committed after that.
func TestAnnouncedBeforeTheWelcome(t *testing.T) {
	const frames = 17 // the last one passes a mark, so that it is behind the published tail
	writers, written := make(chan *Writer, 1), make(chan struct{})
	h := &hook{Handler: slog.DiscardHandler, message: "reader attached", run: func() {
		defer close(written)
		w := <-writers
		if err := write(t.Context(), w, 0, frames); err != nil || w.Position() != frames*proto.LineBytes {
			t.Errorf("published tail %d, %v, want %d", w.Position(), err, frames*proto.LineBytes)
		}
	}}
	dir := testDir(t)
	writers <- listen(t, "x", WriterConfig{Dir: dir, Capacity: 64 << 10, Logger: slog.New(h)})
	r := dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})
	<-written // the writer is this goroutine's again
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for n := range uint64(frames) {
		f, err := r.Next(ctx)
		if err != nil || f.Number() != n {
			t.Fatalf("frame %v, %v, want number %d", f, err, n)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
