package bridge_test

import (
	"crypto/tls"
	"testing"

	"github.com/ndring/ndring/ipc/bridge"
)

// Check that the results of small chunks that come together leave together: over
// TLS each write is a record of its own, or several, and each read returns one.
func TestSmallResultsLeaveTogether(t *testing.T) {
	const chunks = 4000
	server, client := selfSigned(t)
	modes(t, "identity", bridge.Config{TLS: server}, func(t *testing.T, w *world) {
		c, err := tls.Dial("tcp", w.addr, client)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var all []byte
		for range chunks {
			all = append(all, chunk(1)...)
		}
		go func() {
			_, _ = c.Write(all)
			_ = c.CloseWrite()
		}()
		left, records := (2*chunks-1)*(13+8), 0
		for buffer := make([]byte, 64<<10); left > 0; records++ {
			n, err := c.Read(buffer)
			if err != nil {
				t.Fatalf("%d bytes are missing: %v", left, err)
			}
			left -= n
		}
		t.Logf("%d records", records)
		if records > chunks/2 {
			t.Errorf("%d records for %d chunks", records, chunks)
		}
	})
}
