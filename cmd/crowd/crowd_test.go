package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == writerRole {
		main()
		return
	}
	os.Exit(m.Run())
}

// Check that a small crowd of every kind is held: good clients are served to the
// end and the bridge gives all descriptors back.
func TestCrowd(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ndring")
	if out, err := exec.Command("go", "build", "-o", program, "../ndring").CombinedOutput(); err != nil {
		t.Fatalf("build ndring: %v\n%s", err, out)
	}
	var said, errs bytes.Buffer
	code := run(context.Background(), []string{
		"-ndring", program, "-clients", "100", "-tricklers", "5", "-deaf", "5", "-babblers", "5", "-phase", "300ms",
	}, &said, &errs)
	if code != 0 || !strings.Contains(said.String(), "an idle client takes") {
		t.Fatalf("exit code %d\n%s%s", code, said.String(), errs.String())
	}
}

// Check that an answer that is wrong, of another chunk or of the wrong type is an
// error: a crowd that checks nothing proves nothing.
func TestIdlerFindsWrongAnswers(t *testing.T) {
	for _, c := range []struct {
		name     string
		sequence byte    // of the first answer
		last     byte    // type of the last packet
		off      float64 // by which DELTA is wrong
		wantErr  bool
	}{
		{name: "right", sequence: 1, last: 1},
		{name: "sequence", sequence: 2, last: 1, wantErr: true},
		{name: "type", sequence: 1, last: 0, wantErr: true},
		{name: "delta", sequence: 1, last: 1, off: 0.5, wantErr: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := pipe(t)
			go answer(far, c.sequence, c.last, c.off)
			client := &idler{conn: near}
			err := client.play()
			if err == nil {
				err = client.play()
			}
			if (err != nil) != c.wantErr {
				t.Errorf("error %v, want one: %v", err, c.wantErr)
			}
		})
	}
}

func pipe(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// answer reads two chunks and answers with ones, then with ones and zeros.
func answer(conn net.Conn, sequence, last byte, off float64) {
	in := make([]byte, proto.SeedChunkHeadBytes+proto.SeedItemBytes*values)
	ones, zeros := []float64{1, 1, 1, 1, 1}, []float64{off, off, off, off, off}
	packet := func(sequence, role byte, y []float64) {
		head := proto.ResultHead{TimeNs: 1, Sequence: uint32(sequence), Role: proto.Role(role)}
		_, _ = conn.Write(append(head.Append(nil), chunk(y)[proto.SeedChunkHeadBytes:]...))
	}
	if _, err := io.ReadFull(conn, in); err != nil {
		return
	}
	packet(sequence, 0, ones)
	if _, err := io.ReadFull(conn, in); err != nil {
		return
	}
	packet(2, 0, ones)
	packet(2, last, zeros)
}
