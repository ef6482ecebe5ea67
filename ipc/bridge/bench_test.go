package bridge_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
)

// BenchmarkStreaming is one client that sends chunks of n values as fast as it is
// answered; one op is one chunk, answered by PRIMARY and DELTA. Client, bridge and
// stage share the process.
func BenchmarkStreaming(b *testing.B) {
	for _, mode := range []string{"kernel", "heap", "mapped"} {
		for _, n := range []int{5, 1024, 131072} {
			b.Run(fmt.Sprintf("mode=%s/dtype=f64/n=%d", mode, n), func(b *testing.B) {
				addr, stop := start(b, mode)
				defer stop()
				c := dialBridge(b, addr)
				x := make([]float64, n)
				for i := range x {
					x[i] = 1 + float64(i)/1000
				}
				sent := make(chan error, 1)
				b.SetBytes(int64(8 * n))
				b.ResetTimer()
				before := cpuTime(b)
				go func() {
					for range b.N {
						if err := c.Send(x); err != nil {
							sent <- err
							return
						}
					}
					sent <- c.CloseSend()
				}()
				for {
					_, err := c.Receive()
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				if err := <-sent; err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "chunks/s")
				b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpuTime is what the process has used of all processors. On a busy machine it
// tells more than the clock.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// start runs a bridge: with a kernel, or between a stage and rings on the heap or
// mapped ones.
func start(b *testing.B, mode string) (addr string, stop func() error) {
	if mode == "mapped" {
		m := newMapped(b, 0, "arcsec")
		return m.addr, m.stop
	}
	w := newWorld(b, mode == "kernel", "arcsec", bridge.Config{})
	return w.addr, w.stop
}

// echo is a bare Go TCP server that answers each 44 bytes with 106, as a bridge
// does for five values.
func echo(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 106)
		for {
			if _, err := io.ReadFull(c, buf[:44]); err != nil {
				return
			}
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}

// BenchmarkClosedLoop is one client that waits for each answer. A bare Go echo of
// the same sizes, a bridge with a kernel, and bridges with a stage over heap and
// mapped rings take turns, a hundred questions each; the medians of these turns are
// reported, and their ratio to the echo. One op is a turn of all four.
func BenchmarkClosedLoop(b *testing.B) {
	const questions = 100
	names := []string{"echo", "kernel", "heap", "mapped"}
	asks := []func(){asker(b, echo(b), false)}
	for _, mode := range names[1:] {
		addr, stop := start(b, mode)
		defer stop()
		asks = append(asks, asker(b, addr, true))
	}
	turns := make([][]float64, len(asks))
	for b.Loop() {
		for i, ask := range asks {
			start := time.Now()
			for range questions {
				ask()
			}
			turns[i] = append(turns[i], float64(time.Since(start))/questions)
		}
	}
	for i := range turns {
		slices.Sort(turns[i])
		median := turns[i][len(turns[i])/2]
		b.ReportMetric(median, names[i]+"-ns")
		if i > 0 {
			echo := turns[0][len(turns[0])/2]
			b.ReportMetric(median/echo, names[i]+"/echo")
		}
	}
}

// asker returns a function that sends five values and waits for PRIMARY and DELTA.
func asker(b *testing.B, addr string, seed bool) func() {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	request, answer := chunk(1, 2, 3, 4, 5), make([]byte, 106)
	want := 106
	if seed {
		want = 53 // the first answer has no DELTA
	}
	ask := func() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer[:want]); err != nil {
			b.Fatal(err)
		}
		want = 106
	}
	ask()
	return ask
}
