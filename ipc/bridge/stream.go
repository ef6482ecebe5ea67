package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ndring/ndring/proto"
)

// stream is one client. One goroutine reads from it and, at the end, closes it;
// results are sent by the bridge's goroutine that delivers them and, while the
// client is slow to take them, by one of its own.
type stream struct {
	bridge *Bridge
	id     uint64
	conn   net.Conn
	sock   *socket // nil with TLS
	in     inbound
	out    outbox
	credit credit
	head   proto.Header // of its next chunk
	chunks uint64       // complete ones so far; the low half is the sequence id

	stopping  atomic.Bool // read no more
	finishing atomic.Bool // its end is on its way through the rings
	quit      chan struct{}
	quitOnce  sync.Once
	noted     bool // for the goroutine that delivers: results were queued
	hasty     int  // large chunks to collect before one goes straight into a claim
}

var (
	errStopped = errors.New("bridge is ending")
	errIdle    = errors.New("idle for too long")
)

// refusal ends a connection that breaks a rule.
type refusal struct {
	bytes uint64 // what the chunk claimed or had
	rule  error
}

func (r *refusal) Error() string { return r.rule.Error() }
func (r *refusal) Unwrap() error { return r.rule }

func (b *Bridge) newStream(conn net.Conn) (*stream, error) {
	s := &stream{
		bridge: b, conn: conn, credit: newCredit(b.cfg.MemoryBytes), quit: make(chan struct{}),
		head: proto.Header{DType: proto.F64, NDim: 1, ExtFlags: proto.ExtStream},
	}
	s.out.delivered = make(chan struct{})
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("connection is a %T, not TCP: %w", conn, ErrConfig)
	}
	sock, err := newSocket(tcp, s.takeBlock, s.giveBlock)
	if err == nil {
		err = sock.setUp(b.cfg.SocketBytes, b.cfg.Progress)
	}
	if err != nil {
		return nil, err
	}
	s.sock = sock
	if b.cfg.TLS != nil {
		s.sock, s.conn = nil, tls.Server(conn, b.cfg.TLS)
	}
	b.routes.join(s)
	s.head.Stream = s.id
	return s, nil
}

// serve runs a client from its first byte to its close.
func (s *stream) serve(ctx context.Context) {
	defer s.close()
	err := s.handshake(ctx)
	switch {
	case err != nil:
	case s.bridge.cfg.Kernel != nil:
		err = s.compute()
	default:
		err = s.relayGuarded(ctx)
	}
	s.report(err)
	s.finishing.Store(true)
	if s.bridge.cfg.Kernel != nil || s.chunks == 0 {
		s.out.end()
	} else if s.bridge.endStream(ctx, s) != nil {
		return
	}
	s.linger(ctx, err)
}

func (s *stream) handshake(ctx context.Context) error {
	c, ok := s.conn.(*tls.Conn)
	if !ok {
		return nil
	}
	if d := s.bridge.cfg.Progress; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	return nil
}

// report logs why reading ended.
func (s *stream) report(err error) {
	log := s.bridge.logger.With("client", s.conn.RemoteAddr().String(), "stream", s.id, "chunks", s.chunks)
	var r *refusal
	switch {
	case err == nil || err == io.EOF:
		log.Debug("client is done")
	case errors.As(err, &r):
		s.bridge.tally.refused.Add(1)
		log.Warn("chunk refused", "bytes", r.bytes, "rule", r.rule.Error())
	case gone(err):
		log.Info("client is gone", "error", err.Error())
	default:
		log.Info("client is ended", "error", err.Error())
	}
}

// lingerTime is how long a client that was ended may go on sending before its
// connection is closed: a close over unread input would reset the connection and
// take results along that are on their way.
const (
	lingerTime  = time.Second
	lingerBytes = 64 << 20
)

// linger waits until every result is sent and closes the sending side. Input that
// still comes is thrown away.
func (s *stream) linger(ctx context.Context, why error) {
	if why == nil || why == io.EOF {
		s.awaitDelivery(ctx)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.awaitDelivery(ctx)
		if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite() // the close that follows tells
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(lingerTime))
	}()
	_ = s.conn.SetReadDeadline(time.Time{})
	s.takeBlock()
	_, _ = io.CopyBuffer(writerOnly{io.Discard}, io.LimitReader(readerOnly{s.conn}, lingerBytes), s.in.block.b[:])
	<-done
}

// readerOnly and writerOnly keep io.Copy from other ways than the buffer given.
type (
	readerOnly struct{ io.Reader }
	writerOnly struct{ io.Writer }
)

// awaitDelivery returns when nothing is left to send, or ctx is done.
func (s *stream) awaitDelivery(ctx context.Context) {
	select {
	case <-s.out.delivered:
	case <-ctx.Done():
	}
}

// stop makes the reading side end as if the client had half-closed.
func (s *stream) stop() {
	s.stopping.Store(true)
	s.quitOnce.Do(func() { close(s.quit) })
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}

// kill ends the connection at once: nothing can be sent any more.
func (s *stream) kill(why error) {
	if s.out.die() {
		s.bridge.logger.Info("results cannot be sent", "client", s.conn.RemoteAddr().String(),
			"stream", s.id, "error", why.Error(), "timeout", errors.Is(why, os.ErrDeadlineExceeded))
	}
	s.stop()
}

func (s *stream) close() {
	s.bridge.routes.leave(s)
	s.out.die()
	_ = s.conn.Close()
	s.dropBlock()
}
