//go:build linux

package ipc

import (
	"context"
	"errors"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Check that a reader that finds nobody, and sees then that the ring has ended, tries
// once more: the writer that ended it meanwhile waits for its readers. Where nobody is
// there the second time, it has left.
func TestEndedBetweenAttempts(t *testing.T) {
	var w *Writer
	var cfg ReaderConfig
	hello, err := cfg.hello()
	if err != nil {
		t.Fatal(err)
	}
	c := client{name: "x", log: loggerOr(nil)}
	looks := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := func() bool {
		switch looks++; looks {
		case 2:
			w = listen(t, "x", WriterConfig{Capacity: 1 << 16})
		case 8:
			cancel()
		}
		return looks >= 2
	}
	t.Setenv("NDRING_DIR", t.TempDir())
	s, err := c.connect(t.Context(), &hello, ended)
	if err != nil {
		t.Fatalf("after %d looks: %v", looks, err)
	}
	s.close()
	w.Close(t.Context())
	hello.Flags |= proto.HelloReconnect
	if _, err := c.connect(ctx, &hello, ended); !errors.Is(err, errEnded) {
		t.Errorf("%v, want %v", err, errEnded)
	}
}
