//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// foreignUID is a user that owns nothing.
const foreignUID = 12345

// asForeigner starts a role under another user.
func asForeigner(t *testing.T, role string, args ...string) *process {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
	p := prepare(t, role, args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: foreignUID, Gid: foreignUID}}
	p.start()
	return p
}

// roleForeign tries everything that leads to another user's ring.
func roleForeign(args []string) error {
	dir := args[0]
	ctx := context.Background()
	_, listenErr := Listen(ctx, "x", WriterConfig{Dir: dir})
	_, dialErr := Dial(ctx, "x", ReaderConfig{Dir: dir, NoWait: true})
	_, lookErr := OpenSnapshot(dir, "x")
	for _, err := range []error{listenErr, dialErr, lookErr} {
		if !errors.Is(err, ErrDir) {
			return fmt.Errorf("error %w, want ErrDir", err)
		}
	}
	for _, suffix := range []string{segmentSuffix, tableSuffix, lockSuffix} {
		if f, err := os.Open(filepath.Join(dir, "x"+suffix)); err == nil {
			f.Close()
			return fmt.Errorf("opened %s", f.Name())
		}
	}
	fd, err := unix.Socket(unix.AF_UNIX, socketType, 0)
	if err != nil {
		return err
	}
	s := &socket{fd: fd}
	defer s.close()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, "x"+socketSuffix)}); err != nil {
		fmt.Println("refused", err)
		return nil
	}
	var buf packetBuffer
	readable(fd, safetyInterval*100)
	n, err := s.receive(buf[:])
	if err != nil {
		return err
	}
	r, err := proto.DecodeRefusal(buf[:n])
	fmt.Println("refused", r.Sentence, r.Code == proto.CodeDenied)
	return err
}

// Check that another user reaches no file of a ring and is refused at its socket,
// even where the directory and the socket let him through.
func TestOtherUser(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true})
	p := asForeigner(t, "foreign", dir)
	if got := p.expect("refused "); got != unix.EACCES.Error() {
		t.Errorf("at a closed directory: %q", got)
	}
	p.wait()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Join(dir, "x.sock"), 0o777)); err != nil {
		t.Fatal(err)
	}
	p = asForeigner(t, "foreign", dir)
	if got := p.expect("refused "); !strings.Contains(got, "own user only true") {
		t.Errorf("at an open socket: %q", got)
	}
	p.wait()
	if readers := w.Readers(); len(readers) > 0 {
		t.Errorf("slots taken: %v", readers)
	}
}

// roleMemlock asks for a locked ring where next to nothing may be locked.
func roleMemlock(args []string) error {
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 4096, Max: 4096}); err != nil {
		return err
	}
	dir := args[0]
	_, err := Listen(context.Background(), "x", WriterConfig{Dir: dir, Memory: Memory{Locked: true}})
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "ulimit -l") {
		return fmt.Errorf("error %w, want ErrNoSpace that names the limit", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return fmt.Errorf("left %v, %w", entries, err)
	}
	return nil
}

// Check that a ring that may not be locked in memory is a typed error that names the
// limit, and leaves nothing.
func TestMemoryLockLimit(t *testing.T) {
	dir := testDir(t)
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, foreignUID, foreignUID); err != nil {
			t.Fatal(err)
		}
	}
	asForeigner(t, "memlock", dir).wait()
}

// Check that connections beyond the reader slots are bounded: who comes then is told
// so, those served before stay, and a place that is given up is free.
func TestConnectionsBounded(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true, Slots: 1})
	var all []*socket
	defer func() {
		for _, s := range all {
			s.close()
		}
	}()
	attached := dial(t, "x", ReaderConfig{Dir: dir})
	for range w.server.table.Slots() + extraClients - 1 {
		all = append(all, rawConnect(t, dir))
	}
	late := rawConnect(t, dir)
	defer late.close()
	packet, err := hear(t, late, proto.MsgRefusal)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := proto.DecodeRefusal(packet); err != nil || r.Code != proto.CodeTableFull {
		t.Errorf("refusal %v, %v", r, err)
	}
	publish(t, w, 0, 3)
	expectFrames(t, attached, 0, 3)
	all[0].close()
	until(t, "a place is free", func() bool {
		o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir, NoWait: true})
		if err == nil {
			o.Close()
		}
		return err == nil
	})
}
