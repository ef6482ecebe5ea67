package inspection

import (
	"os"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// Check that a look at a ring that is cut short between two looks is a typed error,
// as is one at a ring that was cut before.
func TestCutWhileLooking(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("NDRING_DIR", dir)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := ipc.Listen(t.Context(), "x", ipc.WriterConfig{Capacity: 1 << 16, FreeRun: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(t.Context())
	for range 100 {
		c, err := w.Claim(t.Context(), proto.F64, 100)
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
	}
	s, err := ipc.OpenSnapshot("", "x")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Truncate(s.Path, 0); err != nil {
		t.Fatal(err)
	}
	err = ipc.Guard(func() error {
		_, err := inspect(t.Context(), "x", s, Options{Frames: 4, Values: 2, Interval: time.Millisecond})
		return err
	}, s)
	if err == nil {
		t.Error("a ring of no bytes was described")
	}
	if _, err := Inspect(t.Context(), "x", Options{}); err == nil {
		t.Error("a ring of no bytes was opened")
	}
}
