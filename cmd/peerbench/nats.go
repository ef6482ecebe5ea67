package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

const (
	natsWindowMost   = 32 << 10 // frames
	natsPayloadMost  = 8 << 20  // bytes; the server's default is just 1 MiB
	natsStartTime    = 10 * time.Second
	natsStopSubject  = "stop"
	natsURLFile      = "server.url"
	natsForthSubject = "forth"
	natsBackSubject  = "back"
)

// playNATSServer is the third process of a job: an embedded server on
// loopback, without persistence. It ends when side 0 asks for it.
func playNATSServer(side *bench.Side) (any, error) {
	var t task
	if err := side.Params(&t); err != nil {
		return nil, err
	}
	if err := settle(side, t, peer{threads: 1}); err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		NoSigs: true, NoLog: true, MaxPayload: natsPayloadMost, StoreDir: t.Dir,
	})
	if err != nil {
		return nil, fmt.Errorf("make a NATS server: %w", err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(natsStartTime) {
		return nil, fmt.Errorf("start a NATS server on loopback: not ready after %v", natsStartTime)
	}
	own, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return nil, fmt.Errorf("connect to the NATS server within its process: %w", err)
	}
	defer own.Close()
	stop := make(chan *nats.Msg, 1)
	if _, err := own.ChanSubscribe(natsStopSubject, stop); err != nil {
		return nil, err
	}
	err = errors.Join(own.Flush(), os.WriteFile(filepath.Join(t.Dir, natsURLFile), []byte(s.ClientURL()), 0o600))
	if err != nil {
		return nil, err
	}
	side.Meet() // may dial
	side.Meet() // have dialled
	<-stop
	return nil, nil
}

// natsLink publishes on one subject and subscribes to the other.
type natsLink struct {
	conn     *nats.Conn
	subject  string
	arrived  chan *nats.Msg
	out      []byte
	pending  int
	isCaller bool
}

// connectNATS bounds what is under way: core NATS drops what a subscriber is
// too slow for.
func connectNATS(e end) (link, error) {
	own, other := natsForthSubject, natsBackSubject
	if !e.isCaller() {
		own, other = other, own
	}
	e.Meet() // the server has written its address
	url, err := os.ReadFile(filepath.Join(e.dir, natsURLFile))
	if err != nil {
		return nil, err
	}
	conn, err := nats.Connect(string(url), nats.NoReconnect())
	if err != nil {
		return nil, err
	}
	window := e.window(natsWindowMost)
	l := &natsLink{conn: conn, subject: own, arrived: make(chan *nats.Msg, 2*window+2), isCaller: e.isCaller()}
	if _, err := conn.ChanSubscribe(other, l.arrived); err != nil {
		return nil, err
	}
	if err := conn.Flush(); err != nil {
		return nil, err
	}
	return withCredit(l, window), nil
}

func (l *natsLink) buffer(n int) ([]byte, error) {
	l.out, l.pending = grown(l.out, n), n
	return l.out[:n], nil
}

// send copies into the connection's buffer, which a goroutine of it empties.
func (l *natsLink) send() error  { return l.conn.Publish(l.subject, l.out[:l.pending]) }
func (l *natsLink) flush() error { return nil }

func (l *natsLink) receive() ([]byte, error) {
	m, open := <-l.arrived
	if !open {
		return nil, errors.Join(errors.New("receive: the connection to the NATS server has ended"), l.conn.LastError())
	}
	if len(m.Data) < numberBytes {
		return nil, errShort(len(m.Data))
	}
	return m.Data, nil
}

// close stops the server as side 0, which has the last answer by then.
func (l *natsLink) close() error {
	defer l.conn.Close()
	if !l.isCaller {
		return nil
	}
	return errors.Join(l.conn.Publish(natsStopSubject, nil), l.conn.FlushTimeout(natsStartTime))
}
