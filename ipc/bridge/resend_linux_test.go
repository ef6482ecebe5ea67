package bridge_test

import (
	"context"
	"net"
	"syscall"
)

// tcpRTOMax is TCP_RTO_MAX_MS (Linux 6.15): the longest pause between two attempts to
// send again, in milliseconds.
const tcpRTOMax = 44

// resendSoon makes a socket send again each second at least. A peer that does not read
// for long makes the kernel drop what it has no room for, and double the pause each
// time: a test would wait for half a minute once the peer reads. Kernels that do not
// know the option wait so long.
func resendSoon(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpRTOMax, 1000)
	})
}

// listenTCP listens on a free port, without the multipath sockets that do not take the
// option.
func listenTCP() (net.Listener, error) {
	config := net.ListenConfig{Control: resendSoon}
	config.SetMultipathTCP(false)
	return config.Listen(context.Background(), "tcp", "127.0.0.1:0")
}
