package bridge_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/ipc/stage"
)

var (
	_ bridge.Sink   = (*ipc.Writer)(nil)
	_ bridge.Source = (*ipc.Reader)(nil)
	_ stage.Sink    = (*ipc.Writer)(nil)
	_ stage.Source  = (*ipc.Reader)(nil)
)

// mapped is a bridge and a stage over rings of package ipc: files, sockets and
// doorbells as between processes.
type mapped struct {
	addr     string
	to, from *ipc.Writer
	cancel   context.CancelFunc
	stopped  bool
	served   chan error
	staged   chan error
}

func newMapped(t testing.TB, spin time.Duration, kernelName string) *mapped {
	t.Helper()
	ctx := context.Background()
	dir, err := os.MkdirTemp("/dev/shm", "ndring-bridge-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &mapped{served: make(chan error, 1), staged: make(chan error, 1)}
	open := func(name string) (*ipc.Writer, *ipc.Reader) {
		w, err := ipc.Listen(ctx, name, ipc.WriterConfig{Dir: dir, Capacity: testCapacity, Spin: spin})
		if err != nil {
			t.Fatal(err)
		}
		r, err := ipc.Dial(ctx, name, ipc.ReaderConfig{Dir: dir, Spin: spin})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return w, r
	}
	var chunks, results *ipc.Reader
	m.to, chunks = open("to")
	m.from, results = open("from")
	s, err := stage.New(m.from, stage.Config{Kernel: newKernel(t, kernelName)}, chunks)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bridge.New(bridge.Config{To: m.to, From: results, Grace: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	run, cancel := context.WithCancel(ctx)
	m.cancel = cancel
	go func() { m.served <- b.Serve(run, l) }()
	go func() {
		err := s.Run(ctx)
		m.staged <- errors.Join(err, chunks.Close())
	}()
	t.Cleanup(func() {
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// stop ends the bridge, then the ring to the stage, then the other one.
func (m *mapped) stop() error {
	if m.stopped {
		return nil
	}
	m.stopped = true
	m.cancel()
	err := <-m.served
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(err, m.to.Close(ctx), <-m.staged)
	gone, now := context.WithCancel(context.Background())
	now() // nobody reads the results any more
	_ = m.from.Close(gone)
	return err
}

func dialBridge(t testing.TB, addr string) *bridge.Client {
	t.Helper()
	c, err := bridge.Dial(context.Background(), addr, bridge.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Check that clients are served over mapped rings, with readers that spin and with
// readers that park at once, small chunks and large ones together.
func TestMappedRings(t *testing.T) {
	for _, spin := range []time.Duration{0, -1} {
		m := newMapped(t, spin, "identity")
		var all sync.WaitGroup
		for i := range 6 {
			values, count := 5, 2000
			if i%3 == 0 {
				values, count = 30000, 20
			}
			all.Go(func() {
				if err := talk(dialBridge(t, m.addr), i, count, values); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		all.Wait()
	}
}
