//go:build linux

package conformance

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"testing"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/kernel"
)

// remoteClient sends chunks through the bridge at its port and checks what comes back.
const remoteClient = `
import sys, numpy as np, ndring
chunks = [np.linspace(n + 1, n + 2, 5) for n in range(300)] + [np.full(7, n / 8) for n in range(9)] + [np.ones(100000)] * 2
with ndring.Remote("127.0.0.1", int(sys.argv[1]), timeout=50) as bridge:
    before = None
    for n, (x, r) in enumerate(zip(chunks, bridge.stream(iter(chunks)))):
        assert r.sequence == n + 1 and r.time_ns > 0, r
        assert (r.primary == 10 * x + 1).all(), (n, r)
        assert (r.delta is None) == (before is None or len(before) != len(x)), (n, r)
        if r.delta is not None:
            assert (r.delta == r.primary - before).all(), (n, r)
            np.testing.assert_allclose(r.rebuilt, r.primary, rtol=1e-15)
        before = r.primary
    assert n == len(chunks) - 1, n
    assert bridge.call([4.0]).primary.tolist() == [41.0]
    bridge.finish()
    try:
        bridge.recv()
        raise SystemExit("no end")
    except EOFError:
        pass
for bad in ([], np.zeros((0, 3))):
    try:
        ndring.Remote("127.0.0.1", int(sys.argv[1])).send(bad)
        raise SystemExit("sent %r" % bad)
    except ndring.ChunkError:
        pass
print("rebuilt")
`

// Check that the Python client of the bridge gets the result of every chunk and rebuilds
// each from the one before and its difference, also when the length of chunks changes.
func TestPythonRemote(t *testing.T) {
	python := interpreter(t)
	k, err := kernel.New("affine", kernel.Params{Scale: 10, Offset: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bridge.New(bridge.Config{Kernel: k})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error)
	go func() { served <- b.Serve(ctx, l) }()

	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	cmd := exec.Command("env", "PYTHONPATH="+pythonFolder, python, "-B", "-c", remoteClient, port)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "rebuilt\n" {
		t.Errorf("client: %v\n%s", err, out)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
