//go:build linux

package stage_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
)

// roleVar names, in the environment of a re-executed test binary, the role it plays
// instead of running tests.
const roleVar = "NDRING_TEST_ROLE"

func TestMain(m *testing.M) {
	role := map[string]func([]string) error{"tell": roleTell, "stage": roleStage, "listen": roleListen}[os.Getenv(roleVar)]
	if role == nil {
		os.Exit(m.Run())
	}
	if err := role(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(roleVar)+":", err)
		os.Exit(1)
	}
}

// patience is how long processes wait for others that were killed: longer than a test.
const patience = 5 * time.Minute

type roleFlags struct {
	*flag.FlagSet
	dir, ring, in, kernel, log string
	seed                       uint64
}

func parseRole(args []string) roleFlags {
	f := roleFlags{FlagSet: flag.NewFlagSet("role", flag.ExitOnError)}
	f.StringVar(&f.dir, "dir", "", "")
	f.StringVar(&f.ring, "ring", "", "")
	f.StringVar(&f.in, "in", "", "")
	f.StringVar(&f.kernel, "kernel", "affine", "")
	f.StringVar(&f.log, "log", "", "")
	f.Uint64Var(&f.seed, "seed", 0, "")
	f.Parse(args)
	return f
}

// roleTell tells a tale until a line comes on stdin, and says how many frames it has.
func roleTell(args []string) error {
	f := parseRole(args)
	ctx := context.Background()
	w, err := ipc.Listen(ctx, f.ring, ipc.WriterConfig{Dir: f.dir, Capacity: 1 << 17, Grace: patience})
	if err != nil {
		return err
	}
	t := newTale(f.seed)
	for range w.State().Number {
		t.next()
	}
	fmt.Println("tells")
	var enough atomic.Bool
	go func() {
		orphaned(bufio.NewReader(os.Stdin))
		enough.Store(true)
	}()
	for !enough.Load() {
		if err := tellLine(ctx, w, t.next(), f.seed); err != nil {
			return err
		}
	}
	fmt.Println("told", t.n)
	return w.Close(ctx)
}

// orphaned waits for a line on stdin. When stdin ends before, the test is no more, and
// so is this process.
func orphaned(stdin *bufio.Reader) {
	if _, err := stdin.ReadString('\n'); err != nil {
		os.Exit(1)
	}
}

func tellLine(ctx context.Context, w *ipc.Writer, l line, seed uint64) error {
	h := proto.Header{DType: proto.F64, NDim: 1, ExtFlags: proto.ExtStream, Stream: l.stream, Sequence: l.sequence}
	h.Shape[0] = uint64(l.values)
	if l.ends {
		h.Kind, h.DType = proto.KindStreamEnd, proto.U8
	}
	c, err := w.ClaimFrame(ctx, &h)
	if err != nil {
		return err
	}
	l.fill(c.Float64s(), seed)
	c.Commit()
	return nil
}

// roleStage is a stage with a name between rings in and ring.
func roleStage(args []string) error {
	f := parseRole(args)
	go orphaned(bufio.NewReader(os.Stdin))
	ctx := context.Background()
	var sources []stage.Source
	for name := range strings.SplitSeq(f.in, ",") {
		r, err := ipc.Dial(ctx, name, ipc.ReaderConfig{Dir: f.dir, Name: "stage", Keep: patience, RestartWait: patience})
		if err != nil {
			return err
		}
		defer r.Close()
		sources = append(sources, r)
	}
	out, err := ipc.Listen(ctx, f.ring, ipc.WriterConfig{Dir: f.dir, Capacity: 1 << 16, Grace: patience})
	if err != nil {
		return err
	}
	k, err := kernel.New(f.kernel, kernel.Params{Scale: 2, Offset: 1})
	if err != nil {
		return err
	}
	s, err := stage.New(out, stage.Config{Kernel: k, Journal: out.Journal()}, sources...)
	if err == nil {
		err = resumeFrom(ctx, s, out)
	}
	if err != nil {
		out.Leave()
		return err
	}
	fmt.Println("runs")
	if err := s.Run(ctx); err != nil {
		return err
	}
	return out.Close(ctx)
}

func resumeFrom(ctx context.Context, s *stage.Stage, out *ipc.Writer) error {
	snapshot, err := ipc.OpenSnapshot(out.Dir(), out.Name())
	if err != nil {
		return err
	}
	defer snapshot.Close()
	return s.Resume(ctx, snapshot.Segment)
}

// roleListen is a reader with a name that writes the number of each frame to a file,
// 8 bytes each, before it releases the frame.
func roleListen(args []string) error {
	f := parseRole(args)
	go orphaned(bufio.NewReader(os.Stdin))
	ctx := context.Background()
	log, err := os.OpenFile(f.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r, err := ipc.Dial(ctx, f.ring, ipc.ReaderConfig{Dir: f.dir, Name: "listener", Keep: patience, RestartWait: patience})
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Println("listens")
	for frame, err := range r.Frames(ctx) {
		if err != nil {
			return err
		}
		var b [8]byte
		for i := range b {
			b[i] = byte(frame.Number() >> (8 * i))
		}
		if _, err := log.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}
