package bridge_test

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
)

// TestMain fails when the tests leave goroutines or descriptors behind.
func TestMain(m *testing.M) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	code := m.Run()
	if fuzz := flag.Lookup("test.fuzz"); fuzz != nil && fuzz.Value.String() != "" {
		os.Exit(code) // the process that hands out inputs listens for signals
	}
	// What was told to end needs a moment for it.
	for range 1000 {
		if runtime.NumGoroutine() <= goroutines && openDescriptors() <= descriptors+1 { // the poller's own
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines && code == 0 {
		fmt.Printf("%d goroutines left, %d before\n", n, goroutines)
		_ = pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
		code = 1
	}
	if n := openDescriptors(); n > descriptors+2 && code == 0 {
		fmt.Printf("%d descriptors left, %d before\n", n, descriptors)
		code = 1
	}
	os.Exit(code)
}

func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// exhaustedListener fails as accept does without descriptors, then works.
type exhaustedListener struct {
	net.Listener
	failures int
}

func (l *exhaustedListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// Check that accepting goes on after descriptors ran out.
func TestAcceptGoesOn(t *testing.T) {
	w := newWorldOn(t, true, "identity", bridge.Config{}, func(l net.Listener) net.Listener {
		return &exhaustedListener{l, 3}
	})
	if err := talk(w.dial(), 1, 10, 5); err != nil {
		t.Error(err)
	}
}

// BenchmarkIdleClients holds clients that sent one chunk and fell silent; one op
// is one client. It reports the memory the process takes for each.
func BenchmarkIdleClients(b *testing.B) {
	w := newWorld(b, true, "arcsec", bridge.Config{})
	resident := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := resident()
	conns := make([]net.Conn, b.N)
	var all sync.WaitGroup
	for i := range conns {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			b.Fatal(err)
		}
		conns[i] = c
		if _, err := c.Write(chunk(1, 2, 3, 4, 5)); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 53)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(resident()-before)/float64(b.N), "B/client")
	for _, c := range conns {
		all.Go(func() { c.Close() })
	}
	all.Wait()
}
