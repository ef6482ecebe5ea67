package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring/ringtest"
)

// record is a log that a test can look into.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// world is a bridge that serves, with rings and a stage behind it unless it has a
// kernel of its own.
type world struct {
	t      testing.TB
	bridge *bridge.Bridge
	addr   string
	log    record
	cancel context.CancelFunc
	served chan error
	to     *ringtest.Ring
	from   *ringtest.Ring
	staged chan error
	once   sync.Once
	err    error
}

func newKernel(t testing.TB, name string) kernel.Kernel {
	t.Helper()
	k, err := kernel.New(name, kernel.Params{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const testCapacity = 8 << 20

// newWorld starts a bridge with what cfg adds. With rings, a stage of kernelName
// runs between them unless that is empty.
func newWorld(t testing.TB, inProcess bool, kernelName string, cfg bridge.Config) *world {
	t.Helper()
	return newWorldOn(t, inProcess, kernelName, cfg, func(l net.Listener) net.Listener { return l })
}

// newWorldOn is newWorld with a listener of the test's own.
func newWorldOn(t testing.TB, inProcess bool, kernelName string, cfg bridge.Config, wrap func(net.Listener) net.Listener) *world {
	t.Helper()
	w := &world{t: t, served: make(chan error, 1), staged: make(chan error, 1)}
	cfg.Logger = slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if inProcess {
		cfg.Kernel = newKernel(t, kernelName)
		w.staged <- nil
	} else {
		w.to, w.from = ringtest.New(t, "to", testCapacity), ringtest.New(t, "from", testCapacity)
		cfg.To, cfg.From = w.to, w.from.AttachOldest(t)
		src := w.to.AttachOldest(t)
		if kernelName == "" {
			w.staged <- nil
		} else {
			s, err := stage.New(w.from.Writer, stage.Config{Kernel: newKernel(t, kernelName)}, src)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				w.staged <- s.Run(context.Background())
			}()
		}
	}
	var err error
	if w.bridge, err = bridge.New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := listenTCP()
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.served <- w.bridge.Serve(ctx, wrap(l)) }()
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

// stop ends bridge and stage and returns what Serve returned.
func (w *world) stop() error {
	w.once.Do(func() {
		w.cancel()
		w.err = <-w.served
		if w.to != nil {
			w.to.Finish()
		}
		if err := <-w.staged; err != nil {
			w.t.Errorf("stage: %v", err)
		}
	})
	return w.err
}

func (w *world) dial() *bridge.Client {
	w.t.Helper()
	c, err := bridge.Dial(context.Background(), w.addr, bridge.ClientConfig{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// raw is a bare connection.
func (w *world) raw() *net.TCPConn {
	w.t.Helper()
	c, err := (&net.Dialer{Control: resendSoon}).Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func chunk(x ...float64) []byte {
	p := proto.AppendChunkHead(nil, uint32(8*len(x)))
	return append(p, floatBytes(x)...)
}

// answers reads packets for chunks of n values until the server ends: how many
// PRIMARY, and the error that ended it.
func answers(c io.Reader, n int) (int, error) {
	packet := make([]byte, proto.SeedResultHeadBytes+8*n)
	primaries := 0
	for {
		_, err := io.ReadFull(c, packet)
		if errors.Is(err, io.EOF) {
			return primaries, nil
		}
		if err != nil {
			return primaries, err
		}
		h, err := proto.DecodeResultHead(packet)
		if err != nil {
			return primaries, err
		}
		if h.Role == proto.RolePrimary {
			primaries++
		}
		if int(h.Sequence) != primaries {
			return primaries, errors.New("sequence out of order")
		}
	}
}

// modes runs a test against both kinds of bridge.
func modes(t *testing.T, kernelName string, cfg bridge.Config, test func(*testing.T, *world)) {
	for _, m := range []struct {
		name      string
		inProcess bool
	}{{"rings", false}, {"kernel", true}} {
		t.Run(m.name, func(t *testing.T) { test(t, newWorld(t, m.inProcess, kernelName, cfg)) })
	}
}
