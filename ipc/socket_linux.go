package ipc

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// maxDescriptors is how many descriptors a welcome carries at most.
const maxDescriptors = 4

// socket is one end of a control connection: a non-blocking SOCK_SEQPACKET
// socket. It is for one goroutine; the counters may be read by others.
type socket struct {
	fd       int
	sent     atomic.Uint64 // bytes
	received atomic.Uint64 // bytes
}

// errWouldBlock is returned by send when the peer's buffer is full, and by
// receive when nothing is there.
var errWouldBlock = errors.New("would block")

const socketType = unix.SOCK_SEQPACKET | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

// listenSocket binds the control socket of a ring, in the place of one that a
// dead writer left. The caller holds the writer lock.
func listenSocket(dir *directory, name string) (*socket, error) {
	file := name + socketSuffix
	if err := dir.remove(file); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, socketType, 0)
	if err != nil {
		return nil, fmt.Errorf("create control socket: %w", err)
	}
	s := &socket{fd: fd}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: dir.through(file)}); err != nil {
		s.close()
		return nil, dir.refused(fmt.Errorf("bind control socket %q: %w", dir.file(file), err))
	}
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		s.close()
		return nil, errors.Join(fmt.Errorf("listen on control socket %q: %w", dir.file(file), err), dir.remove(file))
	}
	return s, nil
}

// connectSocket connects to the writer of a ring. The error wraps ErrNoRing when
// there is no socket or nobody behind it.
func connectSocket(dir *directory, name string) (*socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, socketType, 0)
	if err != nil {
		return nil, fmt.Errorf("create socket: %w", err)
	}
	s := &socket{fd: fd}
	for {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: dir.through(name + socketSuffix)})
		if err != unix.EINTR {
			break
		}
	}
	switch err {
	case nil:
		return s, nil
	case unix.ENOENT:
		err = fmt.Errorf("ring %q in %q: %w", name, dir.path, ErrNoRing)
	case unix.ECONNREFUSED:
		err = fmt.Errorf("ring %q in %q has no living writer: %w", name, dir.path, ErrNoRing)
	case unix.EAGAIN:
		err = fmt.Errorf("ring %q in %q: %w", name, dir.path, errWouldBlock)
	default:
		err = fmt.Errorf("connect to ring %q in %q: %w", name, dir.path, err)
	}
	s.close()
	return nil, err
}

// accept takes the next connection. Errors are errWouldBlock, or what accept4
// says.
func (s *socket) accept() (*socket, error) {
	for {
		fd, _, err := unix.Accept4(s.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		switch err {
		case nil:
			return &socket{fd: fd}, nil
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			return nil, errWouldBlock
		default:
			return nil, fmt.Errorf("accept: %w", err)
		}
	}
}

// exhausted reports whether err says that descriptors or memory ran out, which
// time may cure.
func exhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// send sends one packet, with descriptors if there are any. It never waits: the
// error is errWouldBlock when the peer's buffer is full.
func (s *socket) send(packet []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	return s.sendRights(packet, rights)
}

func (s *socket) sendRights(packet, rights []byte) error {
	for {
		_, err := unix.SendmsgN(s.fd, packet, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			s.sent.Add(uint64(len(packet)))
			return nil
		case unix.EINTR:
		case unix.EAGAIN:
			return errWouldBlock
		default:
			return fmt.Errorf("send: %w", err)
		}
	}
}

// receive reads one packet into buf, which is larger than any message. A server
// uses it: descriptors that come along are dropped by the kernel. The error is
// io.EOF after a hang-up, and after an empty packet, which no peer sends.
//
// A peer that hangs up without having read all it was sent resets the connection; the
// reset is told before what the peer sent last, such as its goodbye. Nor is an end
// final at once: the kernel looks for a packet, then whether the peer hung up, and both
// may come between the two. So each is looked behind once more.
func (s *socket) receive(buf []byte) (int, error) {
	for reset, ended := false, false; ; {
		n, _, err := unix.Recvfrom(s.fd, buf, unix.MSG_DONTWAIT)
		switch err {
		case nil:
			if n > 0 {
				s.received.Add(uint64(n))
				return n, nil
			}
			if ended {
				return 0, io.EOF
			}
			ended = true
		case unix.EINTR:
		case unix.EAGAIN:
			if ended {
				return 0, io.EOF
			}
			return 0, errWouldBlock
		default:
			if err != unix.ECONNRESET || reset {
				return 0, fmt.Errorf("receive: %w", err)
			}
			reset = true
		}
	}
}

// receiveRights is receive for a packet that may carry descriptors. Whatever it
// returns, the caller owns every descriptor in fds.
//
// Descriptors can come with an empty packet, with more of them than announced
// and with a packet that is refused: they are parsed on every return.
func (s *socket) receiveRights(buf []byte) (n int, fds []int, err error) {
	rights := make([]byte, unix.CmsgSpace(4*maxDescriptors))
	for ended := false; ; {
		n, rn, flags, _, err := unix.Recvmsg(s.fd, buf, rights, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		fds := parseRights(rights[:max(0, rn)])
		switch {
		case err == nil && n == 0 && len(fds) == 0 && flags&unix.MSG_CTRUNC == 0 && !ended:
			ended = true // see receive
			continue
		case err == unix.EAGAIN && ended:
			return 0, fds, io.EOF
		case err == unix.EAGAIN:
			return 0, fds, errWouldBlock
		case err != nil:
			return 0, fds, fmt.Errorf("receive: %w", err)
		case flags&unix.MSG_CTRUNC != 0:
			return 0, fds, fmt.Errorf("more than %d descriptors came, or no more can be opened: %w", maxDescriptors, ErrHandshake)
		case n == 0:
			return 0, fds, io.EOF
		}
		s.received.Add(uint64(n))
		return n, fds, nil
	}
}

func parseRights(rights []byte) []int {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	var all []int
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

// closeAll closes descriptors; negative ones were handed on.
func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// peer is who connected, as the kernel saw it.
type peer struct {
	pid int
	uid int
}

func (s *socket) peer() (peer, error) {
	c, err := unix.GetsockoptUcred(s.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	return peer{pid: int(c.Pid), uid: int(c.Uid)}, nil
}

// peerProcess is a descriptor that becomes readable when the peer's process
// ends, even while a child of it holds the connection open; -1 on kernels before
// 6.5.
func (s *socket) peerProcess() int {
	fd, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		return -1
	}
	unix.CloseOnExec(fd)
	return fd
}

func (s *socket) close() {
	if s != nil && s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// packetBuffer is larger than any message, so that a longer packet shows.
type packetBuffer [proto.MessageMax + 1]byte

// connectionReset reports whether the peer closed with something of ours unread.
// The kernel says so once, before it hands out what the peer had sent.
func connectionReset(err error) bool { return errors.Is(err, unix.ECONNRESET) }
