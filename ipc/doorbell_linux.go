package ipc

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/ndring/ndring/ring"
	"golang.org/x/sys/unix"
)

// safetyInterval bounds one sleep. Nothing depends on it as long as every side
// follows the protocol; a peer that loses a wake-up costs this much once.
const safetyInterval = 100 * time.Millisecond

// Doorbell is an eventfd: ringing it any number of times wakes its owner once.
// Ring and close may be called from any goroutine.
type Doorbell struct {
	mu   sync.RWMutex // guards fd against reuse of its number
	fd   int
	open bool
}

var _ ring.Bell = (*Doorbell)(nil)

func newDoorbell() (*Doorbell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create doorbell: %w", err)
	}
	return &Doorbell{fd: fd, open: true}, nil
}

// adoptDoorbell takes over a descriptor received from a peer. It must be an
// eventfd, and must not block, or ringing it could. The os.File type stays away
// from these descriptors: it changes whether they block.
func adoptDoorbell(fd int) (*Doorbell, error) {
	kind, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err == nil && kind != "anon_inode:[eventfd]" {
		err = fmt.Errorf("received doorbell is %q: %w", kind, ErrHandshake)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("adopt doorbell: %w", err)
	}
	return &Doorbell{fd: fd, open: true}, nil
}

// Ring wakes the owner. It never blocks: a counter that is full has been rung.
func (d *Doorbell) Ring() {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.open {
		return
	}
	one := [8]byte{1}
	for {
		if _, err := unix.Write(d.fd, one[:]); err != unix.EINTR {
			return
		}
	}
}

// take empties the bell. The owner calls it once poll says it was rung.
func (d *Doorbell) take() {
	var count [8]byte
	for {
		if _, err := unix.Read(d.fd, count[:]); err != unix.EINTR {
			return
		}
	}
}

// close releases the descriptor; later rings are ignored.
func (d *Doorbell) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open {
		d.open = false
		unix.Close(d.fd)
	}
}

// parker is a ring.Sleeper: it sleeps in ppoll on its own doorbell and, for
// clients, on the control socket. A context wakes it through the doorbell. It is
// for one goroutine at a time; Ring is for any.
type parker struct {
	bell    *Doorbell
	sock    *socket  // nil for a writer
	control *control // reads sock; nil before the handshake is over
	poll    [2]unix.PollFd
	timeout bool            // only the safety interval ended the last sleep
	done    <-chan struct{} // of the context registered last
	forget  func() bool
}

var (
	_ ring.Sleeper = (*parker)(nil)
	_ ring.Bell    = (*parker)(nil)
)

// Ring wakes the sleeper.
func (p *parker) Ring() { p.bell.Ring() }

// Sleep returns nil when the bell was rung, when the control socket brought
// something that concerns only the ring's state, and after the safety interval;
// otherwise the error of ctx or of the control socket.
func (p *parker) Sleep(ctx context.Context) error {
	p.watch(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.pollOnce(safetyInterval); err != nil {
		return err
	}
	return ctx.Err()
}

// watch lets the end of ctx ring the bell. A context is registered once however
// often it is passed; its Done channel tells contexts apart.
func (p *parker) watch(ctx context.Context) {
	done := ctx.Done()
	if done == p.done {
		return
	}
	p.unwatch()
	if done != nil {
		p.done, p.forget = done, context.AfterFunc(ctx, p.bell.Ring)
	}
}

func (p *parker) unwatch() {
	if p.forget != nil {
		p.forget()
	}
	p.done, p.forget = nil, nil
}

func (p *parker) pollOnce(most time.Duration) error {
	fds := p.poll[:1]
	p.poll[0] = unix.PollFd{Fd: int32(p.bell.fd), Events: unix.POLLIN}
	if p.sock != nil {
		p.poll[1] = unix.PollFd{Fd: int32(p.sock.fd), Events: unix.POLLIN}
		fds = p.poll[:2]
	}
	if err := pollFor(fds, most); err != nil {
		return err
	}
	p.timeout = p.poll[0].Revents == 0 && (p.sock == nil || p.poll[1].Revents == 0)
	if p.poll[0].Revents != 0 {
		p.bell.take()
	}
	if p.control == nil {
		return nil
	}
	if p.poll[1].Revents != 0 {
		p.control.drain()
	}
	return p.control.verdict()
}

// overslept reports whether only the safety interval ended the last sleep.
func (p *parker) overslept() bool { return p.timeout }

// pollFor is ppoll that, when a signal interrupts it, goes on for the time left.
func pollFor(fds []unix.PollFd, most time.Duration) error {
	deadline := time.Now().Add(most)
	for {
		timeout := unix.NsecToTimespec(int64(max(0, most)))
		_, err := unix.Ppoll(fds, &timeout, nil)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return fmt.Errorf("sleep: %w", err)
		}
		most = time.Until(deadline)
	}
}

// readable reports whether fd can be read, or has ended, within the time given.
func readable(fd int, most time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	return pollFor(fds, most) == nil && fds[0].Revents != 0
}

// closeWatched closes the descriptor of a watch that ended.
func closeWatched(w *watch) {
	if w != nil {
		unix.Close(w.fd)
	}
}

func (p *parker) close() {
	p.unwatch()
	p.bell.close()
}
