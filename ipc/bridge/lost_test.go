package bridge_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ring"
)

// Check that bridge and stage survive it when another process cuts the ring of the
// chunks, or that of the results, short under small and under large chunks: whoever
// meets the loss returns ErrSegmentLost, and both can be ended.
func TestRingCutUnderBridge(t *testing.T) {
	for _, name := range []string{"to", "from"} {
		for _, values := range []int{5, 100_000} {
			m := newMapped(t, time.Millisecond, "arcsec")
			conn := (&world{t: t, addr: m.addr}).raw()
			piece := chunk(make([]float64, values)...)
			go func() {
				for {
					if _, err := conn.Write(piece); err != nil {
						return
					}
				}
			}()
			if _, err := io.ReadFull(conn, make([]byte, 3*len(piece))); err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, conn)
			if err := os.Truncate(filepath.Join(m.to.Dir(), name+".ring"), 0); err != nil {
				t.Fatal(err)
			}
			lost := 0
			typed := func(what string, err error) {
				switch {
				case errors.Is(err, ring.ErrSegmentLost):
					lost++
				case err != nil && !errors.Is(err, ipc.ErrWriterLost) && !errors.Is(err, context.Canceled):
					t.Errorf("%s cut, %d values: %s returned %v", name, values, what, err)
				}
			}
			m.stopped = true
			select { // who meets the loss first leaves the others without work
			case err := <-m.served:
				m.served <- err
			case err := <-m.staged:
				m.staged <- err
			}
			m.cancel()
			typed("bridge", <-m.served)
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			typed("writer", m.to.Close(ended))
			typed("stage", <-m.staged)
			typed("writer", m.from.Close(ended))
			if lost == 0 {
				t.Errorf("%s cut, %d values: nobody returned ErrSegmentLost", name, values)
			}
		}
	}
}
