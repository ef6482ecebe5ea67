package command

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Check that fifty clients written from the protocol's description alone play the
// stored conversation through a bridge and a stage in processes of their own, none
// sees another's results, and nothing is left when the bridge is interrupted.
func TestSeedConversation(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		const say = "needs python3: apt-get install python3"
		if full() {
			t.Fatal(say)
		}
		t.Skip(say)
	}
	dir := ringDir(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	bridge := program(ctx, t, dir, "bridge", "--listen", "127.0.0.1:0", "--to", "chunks", "--from", "answers")
	said := &listening{address: make(chan string, 1)}
	bridge.Stderr = said
	stage := program(ctx, t, dir, "stage", "--in", "chunks", "--out", "answers", "--kernel", "arcsec")
	for _, cmd := range []*exec.Cmd{bridge, stage} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	address := said.find(ctx, t)
	client := exec.CommandContext(ctx, python, "../../../ipc/bridge/testdata/seedclient.py", address, "../../../proto/testdata/seed-conversation.json", "50")
	if out, err := client.CombinedOutput(); err != nil {
		t.Errorf("clients: %v\n%s", err, out)
	}
	if err := bridge.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{bridge, stage} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", cmd.Args[1], err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the ring directory: %v, %v", left, err)
	}
}

// listening finds the address in what a bridge says.
type listening struct {
	mu      sync.Mutex
	text    bytes.Buffer
	address chan string
}

var _ io.Writer = (*listening)(nil)

func (l *listening) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	_, rest, ok := strings.Cut(string(p), "listening on ")
	if address, _, found := strings.Cut(rest, ","); ok && found {
		l.address <- address
	}
	return len(p), nil
}

// find waits for the address.
func (l *listening) find(ctx context.Context, t *testing.T) string {
	t.Helper()
	select {
	case address := <-l.address:
		return address
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Fatalf("the bridge does not listen:\n%s", l.text.String())
		return ""
	}
}
