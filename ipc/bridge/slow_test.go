package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring/ringtest"
)

// Check that a client that sends byte by byte is served like any other.
func TestByteAtATime(t *testing.T) {
	modes(t, "identity", bridge.Config{}, func(t *testing.T, w *world) {
		c := w.raw()
		_ = c.SetNoDelay(true)
		for n := range 3 {
			for _, b := range chunk(float64(n), 2) {
				if _, err := c.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = c.CloseWrite()
		if n, err := answers(c, 2); n != 3 || err != nil {
			t.Fatalf("%d answers, %v", n, err)
		}
	})
}

// Check that a client that stops in the middle of a large chunk does not keep the
// ring claimed: others go on, and its chunk is whole when the rest comes, also for
// the chunks after it.
func TestPauseInLargeChunk(t *testing.T) {
	modes(t, "identity", bridge.Config{}, func(t *testing.T, w *world) {
		const n = 50000
		slow := w.raw()
		x := make([]float64, n)
		x[n-1] = 42
		whole := chunk(x...)
		for range 3 {
			if _, err := slow.Write(whole[:len(whole)/2]); err != nil {
				t.Fatal(err)
			}
			if err := talk(w.dial(), 1, 100, 5); err != nil { // while the other pauses
				t.Fatal(err)
			}
			if err := talk(w.dial(), 2, 3, 20000); err != nil {
				t.Fatal(err)
			}
			if _, err := slow.Write(whole[len(whole)/2:]); err != nil {
				t.Fatal(err)
			}
		}
		_ = slow.CloseWrite()
		if k, err := answers(slow, n); k != 3 || err != nil {
			t.Fatalf("%d answers, %v", k, err)
		}
	})
}

// Check that a client that never reads its results stops itself only: it is not
// read from any more, memory for it stays bounded, others are served, and it gets
// everything when it reads at last.
func TestNeverReading(t *testing.T) {
	for _, values := range []int{5, 20000} {
		cfg := bridge.Config{MemoryBytes: 64 << 10, SocketBytes: 512 << 10, Progress: 5 * time.Minute}
		modes(t, "identity", cfg, func(t *testing.T, w *world) {
			mute := w.raw()
			// Buffers of several loopback segments: TCP reopens a window below one by its
			// timer only.
			_ = mute.SetReadBuffer(512 << 10)
			x := make([]float64, values)
			one := chunk(x...)
			sent := 0
			for {
				_ = mute.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
				n, err := mute.Write(one)
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "timeout") {
						t.Fatal(err)
					}
					_ = mute.SetWriteDeadline(time.Time{})
					rest := one[n:]
					var writes sync.WaitGroup
					defer writes.Wait()
					if err := talk(w.dial(), 1, 1000, 5); err != nil {
						t.Errorf("bystander: %v", err)
					}
					if err := talk(w.dial(), 2, 10, 20000); err != nil {
						t.Errorf("bystander: %v", err)
					}
					writes.Go(func() { // it still owes the end of a chunk
						_, _ = mute.Write(rest)
						_ = mute.CloseWrite()
					})
					sent++
					break
				}
				if sent++; sent*len(one) > 256<<20 {
					t.Fatal("256 MiB were taken from a client that does not read")
				}
			}
			if n, err := answers(mute, values); n != sent || err != nil {
				t.Errorf("%d answers to %d chunks, %v", n, sent, err)
			}
		})
	}
}

// Check that credit is exact: while nothing is answered, a client is read from as
// long as the results of its chunks fit, and not one chunk further, however many
// arrive at once.
func TestCreditIsExact(t *testing.T) {
	const memory, cost = 10000, 2 * (proto.SeedResultHeadBytes + 8)
	w := newWorld(t, false, "", bridge.Config{MemoryBytes: memory, Grace: time.Millisecond})
	c := w.raw()
	many := bytes.Repeat(chunk(1), 5000)
	if _, err := c.Write(many); err != nil {
		t.Fatal(err)
	}
	src := w.to.AttachOldest(t)
	for range memory / cost {
		if _, err := src.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if n := w.bridge.Stats().Chunks; n != memory/cost {
		t.Errorf("%d chunks taken, credit is for %d", n, memory/cost)
	}
}

// Check that a client that was slow for a moment is served long after its results
// had to wait.
func TestSlowForAMoment(t *testing.T) {
	const progress = 250 * time.Millisecond
	cfg := bridge.Config{Progress: progress, SocketBytes: 64 << 10}
	modes(t, "identity", cfg, func(t *testing.T, w *world) {
		c := w.dial()
		x := make([]float64, 100000)
		if err := errors.Join(c.Send(x), c.Flush()); err != nil {
			t.Fatal(err)
		}
		for w.to != nil && w.bridge.Stats().Moved == 0 { // not even a moment's patience was enough
			runtime.Gosched()
		}
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
		for start := time.Now(); time.Since(start) < 2*progress; {
			if err := errors.Join(c.Send(x[:5]), c.Flush()); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Receive(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Check that a client that does not read for the progress time is ended.
func TestNeverReadingIsEnded(t *testing.T) {
	cfg := bridge.Config{Progress: 50 * time.Millisecond, MemoryBytes: 32 << 10, SocketBytes: 16 << 10}
	modes(t, "identity", cfg, func(t *testing.T, w *world) {
		mute := w.raw()
		_ = mute.SetReadBuffer(16 << 10)
		one := chunk(make([]float64, 1000)...)
		for {
			if _, err := mute.Write(one); err != nil {
				break
			}
		}
		if err := talk(w.dial(), 1, 100, 5); err != nil {
			t.Error(err)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		// Either the bridge's own deadline or the kernel's comes first.
		log := w.log.String()
		if !strings.Contains(log, "results cannot be sent") && !strings.Contains(log, "timed out") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Check that a client that is killed in the middle of anything leaves nothing
// behind: no client counted, no stream known to the stage.
func TestKilledClients(t *testing.T) {
	modes(t, "identity", bridge.Config{}, func(t *testing.T, w *world) {
		whole := append(chunk(1, 2, 3), chunk(make([]float64, 20000)...)...)
		var all sync.WaitGroup
		for cut := 1; cut < len(whole); cut = 3*cut/2 + 1 {
			c := w.raw()
			all.Go(func() {
				_, _ = c.Write(whole[:cut])
				_ = c.SetLinger(0)
				c.Close()
			})
		}
		all.Wait()
		if err := talk(w.dial(), 1, 100, 5); err != nil {
			t.Error(err)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if st := w.bridge.Stats(); st.Clients != 0 || st.Accepted < 10 {
			t.Errorf("%+v", st)
		}
	})
}

// Check that a bridge that is to end delivers what it was sent, ends idle clients
// and returns nil.
func TestEndOfBridge(t *testing.T) {
	modes(t, "identity", bridge.Config{}, func(t *testing.T, w *world) {
		idle, busy := w.raw(), w.raw()
		for range 100 {
			if _, err := busy.Write(chunk(1, 2, 3, 4, 5)); err != nil {
				t.Fatal(err)
			}
		}
		first := make([]byte, proto.SeedResultHeadBytes+40)
		if _, err := io.ReadFull(busy, first); err != nil {
			t.Fatal(err)
		}
		for w.bridge.Stats().Chunks != 100 {
			runtime.Gosched()
		}
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(busy); err != nil || len(rest) != (100+99-1)*len(first) {
			t.Errorf("%d bytes after the first answer, %v", len(rest), err)
		}
		if rest, err := io.ReadAll(idle); err != nil || len(rest) != 0 {
			t.Errorf("idle client: %d bytes, %v", len(rest), err)
		}
		if _, err := net.Dial("tcp", w.addr); err == nil {
			t.Error("still listening")
		}
	})
}

// Check that a bridge whose stage never answers ends when the grace is over.
func TestGraceEnds(t *testing.T) {
	w := newWorld(t, false, "", bridge.Config{Grace: 20 * time.Millisecond})
	c := w.raw()
	if _, err := c.Write(chunk(1)); err != nil {
		t.Fatal(err)
	}
	for w.bridge.Stats().Chunks == 0 {
		runtime.Gosched()
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

// Check that the end of the ring of results ends the bridge with an error and cuts
// its clients off.
func TestResultsEnd(t *testing.T) {
	w := newWorld(t, false, "", bridge.Config{})
	c := w.raw()
	if _, err := c.Write(chunk(1)); err != nil {
		t.Fatal(err)
	}
	w.from.Finish()
	if err := <-w.served; !errors.Is(err, bridge.ErrResultsEnded) {
		t.Error(err)
	}
	w.served <- nil
	if _, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

// Check that a stage that ends a stream ends its client, after what it sent, and
// that results of unknown streams hurt nobody.
func TestStageEndsStream(t *testing.T) {
	w := newWorld(t, false, "", bridge.Config{})
	src := w.to.AttachOldest(t)
	c := w.raw()
	if _, err := c.Write(chunk(7)); err != nil {
		t.Fatal(err)
	}
	f, err := src.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	h := f.Header()
	send := func(set func(*proto.Header)) {
		g := proto.Header{DType: proto.F64, NDim: 1, ExtFlags: proto.ExtStream, Stream: h.Stream, Sequence: h.Sequence}
		g.Shape[0] = 1
		set(&g)
		claim, err := w.from.ClaimFrame(context.Background(), &g)
		if err != nil {
			t.Fatal(err)
		}
		claim.Commit()
	}
	send(func(h *proto.Header) { h.Stream++ })
	send(func(h *proto.Header) { h.ExtFlags = 0 })
	send(func(h *proto.Header) { h.DType = proto.F32 })
	send(func(h *proto.Header) { h.ExtFlags |= proto.ExtTime; h.TimeNs = 77 })
	send(func(h *proto.Header) { h.Kind, h.DType, h.Shape[0] = proto.KindStreamEnd, proto.U8, 0 })
	all, err := io.ReadAll(c)
	if err != nil || len(all) != proto.SeedResultHeadBytes+8 {
		t.Fatalf("%d bytes, %v", len(all), err)
	}
	if r, err := proto.DecodeResultHead(all); err != nil || r.TimeNs != 77 || r.Sequence != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if st := w.bridge.Stats(); st.Stray != 3 {
		t.Errorf("%+v", st)
	}
}

// Check that a stage that sends a client more than was asked, and more than it
// takes, costs that client its connection and not the bridge its memory.
func TestStageSendsTooMuch(t *testing.T) {
	w := newWorld(t, false, "", bridge.Config{MemoryBytes: 1 << 10, LimitBytes: 8 << 10})
	src := w.to.AttachOldest(t)
	c := w.raw()
	if _, err := c.Write(chunk(7)); err != nil {
		t.Fatal(err)
	}
	f, err := src.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	h := f.Header()
	h.ExtFlags, h.Shape[0] = proto.ExtStream, 1000
	for !strings.Contains(w.log.String(), "more than was asked") {
		claim, err := w.from.ClaimFrame(context.Background(), &h)
		if err != nil {
			t.Fatal(err)
		}
		claim.Commit()
	}
	for w.bridge.Stats().Clients != 0 {
		runtime.Gosched()
	}
}

// alwaysReady is a source that never admits that it holds nothing more.
type alwaysReady struct{ ringtest.Reader }

func (alwaysReady) Ready() bool { return true }

// Check that results are sent now and then even if there is always another one.
func TestResultsAreSentInBetween(t *testing.T) {
	const chunks = 1100
	to, from := ringtest.New(t, "to", 1<<20), ringtest.New(t, "from", 1<<20)
	b, err := bridge.New(bridge.Config{To: to, From: alwaysReady{from.AttachOldest(t)}, Grace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.New(from.Writer, stage.Config{Kernel: newKernel(t, "identity"), NoDelta: true}, to.AttachOldest(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ends sync.WaitGroup
	ends.Go(func() { _ = b.Serve(ctx, l) })
	ends.Go(func() { _ = s.Run(ctx) })
	defer ends.Wait()
	defer cancel()
	c, err := bridge.Dial(ctx, l.Addr().String(), bridge.ClientConfig{NoDelta: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range chunks {
		if err := c.Send([]float64{1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
	}
}
