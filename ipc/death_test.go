//go:build linux

package ipc

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// roleHold takes a frame and keeps it until it is killed.
func roleHold(args []string) error {
	f, err := parseRole("hold", args)
	if err != nil {
		return err
	}
	r, err := f.dial()
	if err != nil {
		return err
	}
	fmt.Println("attached")
	if _, err := r.Next(f.ctx); err != nil {
		return err
	}
	fmt.Println("holding")
	bufio.NewScanner(os.Stdin).Scan()
	return r.Close()
}

// roleBusy takes all the time of a processor that it can get.
func roleBusy([]string) error {
	fmt.Println("busy")
	for n := 1; n != 0; n += 2 { // without end: an odd number is never 0
	}
	return nil
}

// roleMourn receives pairs of descriptors, a socket and the pidfd of the process that
// holds its other end, and answers with the times at which each told of a death.
func roleMourn([]string) error {
	s := &socket{fd: 3}
	fmt.Println("ready")
	for {
		var answer, word [16]byte
		rights := make([]byte, unix.CmsgSpace(8))
		_, n, _, _, err := unix.Recvmsg(s.fd, word[:], rights, 0)
		if err != nil || n == 0 {
			return err
		}
		messages, err := unix.ParseSocketControlMessage(rights[:n])
		if err != nil {
			return err
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			return err
		}
		if err := s.send(answer[:1]); err != nil {
			return err
		}
		for i, fd := range fds {
			if !readable(fd, time.Minute) {
				return fmt.Errorf("nobody died")
			}
			binary.LittleEndian.PutUint64(answer[8*i:], monotonicNs())
		}
		closeAll(fds)
		if err := s.send(answer[:]); err != nil {
			return err
		}
	}
}

// monotonicNs is a time that all processes of the machine share.
func monotonicNs() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return uint64(ts.Nano())
}

// mourner is a process that only waits for deaths.
type mourner struct {
	t    testing.TB
	sock *socket
}

func newMourner(t testing.TB) *mourner {
	t.Helper()
	near, far := socketPair(t)
	p := prepare(t, "mourn")
	p.cmd.ExtraFiles = []*os.File{far}
	p.start()
	far.Close()
	p.expect("ready")
	return &mourner{t, &socket{fd: near}}
}

// socketPair is a connection whose second end is for a child.
func socketPair(t testing.TB) (int, *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]) })
	return pair[0], os.NewFile(uintptr(pair[1]), "socket")
}

// watch has the mourner wait for a death.
func (m *mourner) watch(fds ...int) {
	m.t.Helper()
	if err := m.sock.send([]byte{1}, fds...); err != nil {
		m.t.Fatal(err)
	}
	m.hear()
}

// hear is what the mourner says next.
func (m *mourner) hear() (answer [16]byte) {
	m.t.Helper()
	if n, _, err := unix.Recvfrom(m.sock.fd, answer[:], 0); err != nil || n == 0 {
		m.t.Fatalf("the mourner is gone: %v", err)
	}
	return answer
}

// times are those at which a socket and a pidfd told of a death.
func (m *mourner) times() (hangUp, end uint64) {
	answer := m.hear()
	return binary.LittleEndian.Uint64(answer[:]), binary.LittleEndian.Uint64(answer[8:])
}

// death is the time from a SIGKILL to what follows from it.
type death struct {
	hangUp  time.Duration // the kernel hung up on who did nothing but wait for it
	end     time.Duration // and told of the end of the process
	release time.Duration // the writer had its claim
}

// oneDeath kills a reader that holds up the ring.
func oneDeath(t *testing.T, w *Writer, m *mourner, args ...string) death {
	t.Helper()
	near, far := socketPair(t)
	victim := prepare(t, "hold", args...)
	victim.cmd.ExtraFiles = []*os.File{far}
	victim.start()
	far.Close()
	victim.expect("attached")
	var killed atomic.Bool
	resumed := make(chan uint64, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { resumed <- fill(ctx, w, &killed) }()
	victim.expect("holding")
	pid := victim.cmd.Process.Pid
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	m.watch(near, pidfd)
	until(t, "the writer waits for its reader", func() bool {
		b, blocked := w.Blocked()
		return blocked && int(b.Reader.PID) == pid && time.Since(b.Since) > 2*time.Millisecond
	})
	killed.Store(true)
	start := monotonicNs()
	victim.cmd.Process.Kill()
	release := <-resumed
	if release == 0 {
		t.Fatal("the writer still waits for a reader that is dead")
	}
	hangUp, end := m.times()
	victim.kill()
	since := func(at uint64) time.Duration { return time.Duration(at - start) }
	return death{hangUp: since(hangUp), end: since(end), release: since(release)}
}

// fill writes until there was a claim after the kill, and returns when that was; 0 if
// ctx ended before.
func fill(ctx context.Context, w *Writer, killed *atomic.Bool) uint64 {
	for {
		c, err := w.Claim(ctx, proto.F64, 1024)
		now := monotonicNs()
		if err != nil {
			return 0
		}
		c.Commit()
		if killed.Load() {
			return now
		}
	}
}

// Check that a writer goes on when the reader that holds up the ring is killed, in
// either mode, on an idle machine and on a busy one. Long form: the number of deaths
// for each in NDRING_DEATHS; it says how long the kernel took to tell of the death, and
// how long the writer.
func TestGateAfterDeath(t *testing.T) {
	deaths := soak(t, "NDRING_DEATHS", 3)
	for _, busy := range []int{0, 4} {
		for _, size := range []struct {
			name string
			WriterConfig
		}{
			{"MiB=1", WriterConfig{Capacity: 1 << 20}},
			{"MiB=256", WriterConfig{Capacity: 256 << 20}},
			{"MiB=256,huge", WriterConfig{Capacity: 256 << 20, Memory: Memory{Huge: true}}},
		} {
			for _, wake := range []string{"park", "stream"} {
				t.Run(fmt.Sprintf("busy=%d/%s/%s", busy, size.name, wake), func(t *testing.T) {
					if deaths < 10 && size.Capacity > 1<<20 {
						t.Skip("of large rings in the long form only: set NDRING_DEATHS")
					}
					manyDeaths(t, deaths, busy, size.WriterConfig, wake)
				})
			}
		}
	}
}

func manyDeaths(t *testing.T, deaths, busy int, cfg WriterConfig, wake string) {
	cfg.Dir = testDir(t)
	w := listen(t, "x", cfg)
	m := newMourner(t)
	for range busy {
		spawn(t, "busy").expect("busy")
	}
	all := make([]death, deaths)
	for i := range all {
		all[i] = oneDeath(t, w, m, "-dir", cfg.Dir, "-wake", wake, fmt.Sprint("-huge=", cfg.Memory.Huge))
	}
	say := func(what string, of func(death) time.Duration) {
		slices.SortFunc(all, func(a, b death) int { return cmp.Compare(of(a), of(b)) })
		at := func(percent int) time.Duration { return of(all[(deaths-1)*percent/100]).Round(time.Microsecond) }
		t.Logf("%-44s p50 %8v  p90 %8v  p99 %8v  most %8v", what, at(50), at(90), at(99), at(100))
	}
	say("the kernel hung up", func(d death) time.Duration { return d.hangUp })
	say("the process had ended", func(d death) time.Duration { return d.end })
	say("the writer had its claim", func(d death) time.Duration { return d.release })
	said := func(d death) time.Duration { return d.hangUp }
	if wake == "park" {
		said = func(d death) time.Duration { return d.end }
	}
	say("the claim after who waits for nothing else", func(d death) time.Duration { return d.release - said(d) })
}
