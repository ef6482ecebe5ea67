package bridge

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// exhausted reports whether accept failed for lack of descriptors or memory, which
// passes.
func exhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// faulted reports whether a system call met memory that is not there.
func faulted(err error) bool { return errors.Is(err, unix.EFAULT) }

// gone reports whether the peer ended the connection without a word.
func gone(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) ||
		errors.Is(err, unix.ETIMEDOUT) || errors.Is(err, net.ErrClosed)
}

// socket makes attempts on a TCP connection that never block longer than asked.
// Reading and writing are each for one goroutine at a time.
type socket struct {
	raw syscall.RawConn

	take    func() []byte // where to read to; called before each attempt
	giveUp  func()        // called when an attempt found nothing, before waiting
	readFn  func(uintptr) bool
	n       int
	err     error
	writeFn func(uintptr) bool
	parts   [3][]byte
	sent    int
	sendErr error
	roomFn  func(uintptr) bool
	room    bool
	wait    time.Duration
}

func newSocket(c *net.TCPConn, take func() []byte, giveUp func()) (*socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{raw: raw, take: take, giveUp: giveUp}
	s.readFn, s.writeFn, s.roomFn = s.readOnce, s.writeOnce, s.pollOnce
	return s, nil
}

// setUp bounds what the kernel buffers for the connection, unless bufferBytes is
// negative, and how long it waits for a peer that does not acknowledge.
func (s *socket) setUp(bufferBytes int, userTimeout time.Duration) error {
	var err error
	set := func(level, option, value int, fd uintptr) {
		if err == nil {
			err = unix.SetsockoptInt(int(fd), level, option, value)
		}
	}
	if e := s.raw.Control(func(fd uintptr) {
		set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, fd)
		if bufferBytes > 0 {
			set(unix.SOL_SOCKET, unix.SO_SNDBUF, bufferBytes, fd)
			set(unix.SOL_SOCKET, unix.SO_RCVBUF, bufferBytes, fd)
		}
		if userTimeout > 0 {
			set(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()), fd)
		}
	}); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("set socket option: %w", err)
	}
	return nil
}

// read waits for bytes and reads once. While it waits it holds no buffer. At the
// end of the stream it returns 0 and no error.
func (s *socket) read() (int, error) {
	if err := s.raw.Read(s.readFn); err != nil {
		return 0, err
	}
	return s.n, s.err
}

func (s *socket) readOnce(fd uintptr) bool {
	s.n, s.err = ignoringInterrupts(func() (int, error) { return unix.Read(int(fd), s.take()) })
	if s.err == unix.EAGAIN {
		s.giveUp()
		return false
	}
	return true
}

// tryWrite sends as much of the parts as fits without waiting.
func (s *socket) tryWrite(a, b, c []byte) (int, error) {
	s.parts = [3][]byte{a, b, c}
	err := s.raw.Write(s.writeFn)
	s.parts = [3][]byte{}
	if err != nil {
		return 0, err
	}
	return s.sent, s.sendErr
}

func (s *socket) writeOnce(fd uintptr) bool {
	s.sent, s.sendErr = ignoringInterrupts(func() (int, error) {
		if len(s.parts[1]) == 0 && len(s.parts[2]) == 0 {
			return unix.Write(int(fd), s.parts[0])
		}
		return unix.Writev(int(fd), s.parts[:])
	})
	if s.sendErr == unix.EAGAIN {
		s.sent, s.sendErr = 0, nil
	}
	return true
}

// awaitRoom waits until the socket takes more bytes, for d at most.
func (s *socket) awaitRoom(d time.Duration) bool {
	s.wait = d
	return s.raw.Write(s.roomFn) == nil && s.room
}

func (s *socket) pollOnce(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(p, int(s.wait.Milliseconds()))
	s.room = err == nil && n == 1
	return true
}

func ignoringInterrupts(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return max(0, n), err
		}
	}
}
