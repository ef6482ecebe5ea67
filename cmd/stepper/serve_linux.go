//go:build amd64

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/cmd/stepper/check"
	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/cmd/stepper/trace"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// serving steps through the control plane of a writer, which runs on a goroutine and
// a thread of its own, while readers come and go over the control socket. The writer's
// own goroutine rests.
type serving struct {
	dir     string
	child   *child
	segment image
	table   image
	checker *check.Checker
	readers []*ipc.Reader
	mortal  *exec.Cmd // a reader's process
	liar    net.Conn  // a reader in stream mode that breaks the protocol
}

// visit is what one client does to the writer's control plane.
type visit struct {
	path    string
	readers int // how many slots gate from its beginning to its end
	do      func(context.Context, *serving) error
	evicted int // how many slots are in quarantine at its end
}

// loopEvents is how many events the control plane asks epoll for; the runtime's own
// poller asks for another number.
const loopEvents = 64

// visits are the ways to come and go.
func visits() []visit {
	dial := func(wake proto.Wake, name string) func(context.Context, *serving) error {
		return func(ctx context.Context, s *serving) error {
			r, err := ipc.Dial(ctx, "x", ipc.ReaderConfig{Dir: s.dir, Wake: wake, Name: name, Keep: time.Hour})
			s.readers = append(s.readers, r)
			return err
		}
	}
	read := func(i, n int) func(context.Context, *serving) error {
		return func(ctx context.Context, s *serving) error {
			for range n {
				if _, err := s.readers[i].Next(ctx); err != nil {
					return err
				}
			}
			return s.readers[i].Release()
		}
	}
	leave := func(i int) func(context.Context, *serving) error {
		return func(_ context.Context, s *serving) error { return s.readers[i].Close() }
	}
	return []visit{
		{path: "serve: dial, park", do: dial(proto.WakePark, "a")},
		{path: "serve: dial, stream", readers: 1, do: dial(proto.WakeStream, "b")},
		{path: "serve: note of a release", readers: 2, do: read(1, 11)},
		{path: "serve: refuse a name in use", readers: 2, do: func(ctx context.Context, s *serving) error {
			r, err := ipc.Dial(ctx, "x", ipc.ReaderConfig{Dir: s.dir, Name: "a"})
			if err == nil {
				r.Close()
				return errors.New("two readers of one name")
			}
			return nil
		}},
		{path: "serve: goodbye", readers: 1, do: leave(0)},
		{path: "serve: goodbye", do: leave(1)},
		{path: "serve: dial, park", do: dial(proto.WakePark, "")},
		{path: "serve: goodbye", do: leave(2)},
		{path: "serve: dial, park", do: func(_ context.Context, s *serving) (err error) {
			s.mortal, err = launch("read", s.dir)
			return err
		}},
		{path: "serve: death of a named reader", readers: 1, do: func(_ context.Context, s *serving) error {
			s.mortal.Process.Kill()
			s.mortal.Wait()
			return nil
		}},
		{path: "serve: dial, resume", readers: 1, do: dial(proto.WakePark, "mortal")},
		{path: "serve: goodbye", do: leave(3)},
		{path: "serve: dial, park", do: dial(proto.WakePark, "c")},
		{path: "serve: dial, stream", readers: 1, do: lie},
		{path: "serve: eviction", readers: 1, evicted: 1, do: beEvicted},
		{path: "serve: dial beside a slot in quarantine", readers: 1, evicted: 1, do: dial(proto.WakeStream, "d")},
		{path: "serve: evicted reader leaves", readers: 2, do: func(_ context.Context, s *serving) error { return s.liar.Close() }},
		{path: "serve: goodbye", readers: 1, do: leave(4)},
		{path: "serve: goodbye", do: leave(5)},
	}
}

// lie attaches a reader in stream mode by hand.
func lie(ctx context.Context, s *serving) (err error) {
	var dialer net.Dialer
	if s.liar, err = dialer.DialContext(ctx, "unixpacket", filepath.Join(s.dir, "x.sock")); err != nil {
		return err
	}
	hello := make([]byte, proto.HelloBytes)
	h := proto.Hello{Major: proto.VersionMajor, Minor: proto.VersionMinor, Role: proto.RoleReader, Wake: proto.WakeStream, Start: proto.StartOldest}
	h.Encode(hello)
	if _, err := s.liar.Write(hello); err != nil {
		return err
	}
	return s.hear(ctx, proto.MsgWelcome)
}

// beEvicted releases what was never committed, and is told what comes of it.
func beEvicted(ctx context.Context, s *serving) error {
	note := make([]byte, proto.NoteBytes)
	proto.Note{Type: proto.MsgReleased, Position: 1 << 40}.Encode(note)
	if _, err := s.liar.Write(note); err != nil {
		return err
	}
	return s.hear(ctx, proto.MsgEvicted)
}

// hear reads what the liar is told, up to a message of the type wanted. Descriptors that
// come along are dropped by the kernel.
func (s *serving) hear(ctx context.Context, want proto.MessageType) error {
	if limit, ok := ctx.Deadline(); ok {
		s.liar.SetReadDeadline(limit)
	}
	packet := make([]byte, proto.MessageMax)
	for {
		n, err := s.liar.Read(packet)
		if err != nil {
			return err
		}
		if kind, err := proto.TypeOf(packet[:n]); err != nil || kind == want {
			return err
		}
	}
}

// quarantined counts the slots of readers that were evicted and are still there.
func (s *serving) quarantined() (n int, err error) {
	snapshot, err := ipc.OpenSnapshot(s.dir, "x")
	if err != nil {
		return 0, err
	}
	for _, r := range snapshot.Readers() {
		if r.State == proto.SlotEvicted {
			n++
		}
	}
	return n, snapshot.Close()
}

// launch starts a part and waits for its first line.
func launch(part string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), partVar+"="+part)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = bufio.NewReader(output).ReadString('\n')
	}
	return cmd, err
}

// partRead dials ring x in directory DIR by name, says so and waits to be killed.
func partRead(args []string) error {
	r, err := ipc.Dial(context.Background(), "x", ipc.ReaderConfig{Dir: args[0], Name: "mortal", Keep: time.Hour})
	if err != nil {
		return err
	}
	fmt.Println("attached", r.Welcome().Start)
	_, err = os.Stdin.Read(make([]byte, 1)) // until whoever started this ends
	return err
}

// partServe listens on ring x in directory DIR, writes a cycle of frames and rests.
func partServe(args []string) error {
	runtime.GOMAXPROCS(2) // one for each goroutine, so that neither waits for the other
	m := trace.NewMarker()
	w, err := ipc.Listen(context.Background(), "x", lifeConfig(args[0]))
	if err != nil {
		return err
	}
	number := uint64(0)
	for _, u := range cycle() {
		if err := writeUnit(w, u, number, func() {}); err != nil {
			return err
		}
		number += uint64(len(u))
	}
	return ready(m, number)
}

// stepServing lets every visit happen, one after the other.
func stepServing(parent string, t *tally) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dir, err := os.MkdirTemp(parent, "serving-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &serving{dir: dir}
	if s.child, err = start("serve", dir); err != nil {
		return err
	}
	defer s.child.end()
	s.segment.path, s.table.path = filepath.Join(dir, script.SegmentFile), filepath.Join(dir, script.TableFile)
	defer s.segment.close()
	defer s.table.close()
	if err := s.prepare(); err != nil {
		return err
	}
	defer s.checker.Close()
	for _, v := range visits() {
		path := t.path(v.path)
		path.runs++
		s.checker.Readers = v.readers
		if err := s.visit(v, path); err != nil {
			return fmt.Errorf("%s, after instruction %d, at %s: %w", v.path, path.steps, placeOf(s.child.thread.Regs.Rip), err)
		}
	}
	t.states += s.checker.States
	t.frames += s.checker.Frames
	return nil
}

// prepare seizes the control plane's thread and takes a first look.
func (s *serving) prepare() error {
	tid, err := trace.Waiting(s.child.pid, unix.SYS_EPOLL_PWAIT, loopEvents)
	if err != nil {
		return err
	}
	if s.child.thread, err = trace.Seize(s.child.pid, tid); err != nil {
		return err
	}
	if err := errors.Join(s.segment.refresh(), s.table.refresh()); err != nil {
		return err
	}
	due := &script.Script{Ledger: script.Ledger{Capacity: lifeBytes}}
	for _, u := range cycle() {
		due.Add(append(unit(nil), u...)...)
	}
	if due.ID, err = proto.DecodeIdentity(s.segment.bytes); err != nil {
		return err
	}
	if s.checker, err = check.New(due); err != nil {
		return err
	}
	if err := s.checker.Begin(script.Operation{Frames: len(due.Frames)}); err != nil {
		return err
	}
	if _, err := s.checker.Look(s.segment.bytes, s.table.bytes); err != nil {
		return err
	}
	return s.checker.Begin(script.Operation{})
}

// visit steps until the client has done its part and the control plane waits again.
func (s *serving) visit(v visit, path *pathTally) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var over atomic.Bool
	done := make(chan error, 1)
	go func() {
		err := v.do(ctx, s)
		over.Store(true)
		done <- err
	}()
	for waits := 0; waits < 2; {
		ended := over.Load() // before the step: what the client caused is served after it
		if _, err := s.child.thread.Step(); err != nil {
			return err
		}
		changed, err := s.checker.Look(s.segment.bytes, s.table.bytes)
		if err != nil {
			return err
		}
		regs := &s.child.thread.Regs
		path.count(regs.Rip, changed)
		if ended && s.child.thread.AfterCall() && s.child.thread.Call == unix.SYS_EPOLL_PWAIT {
			waits++
		}
	}
	if err := <-done; err != nil {
		return err
	}
	if n, err := s.quarantined(); err != nil || n != v.evicted {
		return fmt.Errorf("%d slots are in quarantine (%v), due are %d", n, err, v.evicted)
	}
	return nil
}
