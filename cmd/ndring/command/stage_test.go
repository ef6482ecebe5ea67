package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/proto"
)

// startBridge starts a bridge and returns it with its address.
func startBridge(ctx context.Context, t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := program(ctx, t, dir, "bridge", "--listen", "127.0.0.1:0", "--to", "chunks", "--from", "answers")
	said := &listening{address: make(chan string, 1)}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, said.find(ctx, t)
}

// exchange sends a chunk and waits for its answer. The client stays.
func exchange(ctx context.Context, t *testing.T, address string) *bridge.Client {
	t.Helper()
	c, err := bridge.Dial(ctx, address, bridge.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Send([]float64{1, 2, 3, 4, 5}), c.Flush()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Check that the stream of a client whose bridge was killed ends in band as soon as
// the next bridge has a client, before that client's first result.
func TestKilledBridgeEndsItsStreams(t *testing.T) {
	dir := ringDir(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	stage := program(ctx, t, dir, "stage", "--in", "chunks", "--out", "answers", "--kernel", "arcsec")
	if err := stage.Start(); err != nil {
		t.Fatal(err)
	}
	killed, address := startBridge(ctx, t, dir)
	reader, err := ipc.Dial(ctx, "answers", ipc.ReaderConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer exchange(ctx, t, address).Close()
	killed.Process.Kill()
	killed.Wait()
	next, address := startBridge(ctx, t, dir)
	defer exchange(ctx, t, address).Close()
	if err := next.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var kinds []proto.Kind
	var streams []uint64
	for {
		f, err := reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds, streams = append(kinds, f.Kind()), append(streams, f.Header().Stream)
	}
	const data, end = proto.KindData, proto.KindStreamEnd
	if len(kinds) < 3 || kinds[0] != data || kinds[1] != end || kinds[2] != data || streams[0] != streams[1] || streams[1] == streams[2] {
		t.Errorf("frames of kinds %v, streams %#x; want a result, the end of its stream, a result of another", kinds, streams)
	}
	for _, cmd := range []*exec.Cmd{next, stage} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", cmd.Args[1], err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the ring directory: %v, %v", left, err)
	}
}
