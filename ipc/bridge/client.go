package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"

	"github.com/ndring/ndring/proto"
)

// ClientConfig is how a client reaches a bridge. The zero value is plain TCP to a
// server that sends DELTA.
type ClientConfig struct {
	TLS     *tls.Config
	NoDelta bool // the server sends PRIMARY only
}

// Client is the remote side of the seed protocol. One goroutine may send while
// another receives. Chunks are gathered in a buffer of 64 KiB until Flush.
type Client struct {
	conn net.Conn
	w    *bufio.Writer
	r    *bufio.Reader
	cfg  ClientConfig

	mu   sync.Mutex
	sent uint64 // chunks
	runs []run  // lengths of the chunks that are not answered, in order

	answered uint64
	result   Result
	previous []float64
	head     [proto.SeedResultHeadBytes]byte
}

// run is a number of chunks of one length.
type run struct{ first, values uint64 }

// Result is the answer to one chunk. Its slices belong to the client and are valid
// until the next Receive.
type Result struct {
	TimeNs   uint64 // of the PRIMARY
	Sequence uint32
	Primary  []float64
	Delta    []float64 // nil if the chunk before was of another length, or none was
}

// Dial connects to a bridge. ctx bounds the connecting only.
func Dial(ctx context.Context, addr string, cfg ClientConfig) (*Client, error) {
	var conn net.Conn
	var err error
	if cfg.TLS == nil {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = (&tls.Dialer{Config: cfg.TLS}).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("dial bridge %q: %w", addr, err)
	}
	return &Client{
		conn: conn, cfg: cfg,
		w: bufio.NewWriterSize(conn, blockBytes), r: bufio.NewReaderSize(conn, blockBytes),
	}, nil
}

// Conn is the connection, for deadlines.
func (c *Client) Conn() net.Conn { return c.conn }

// Send adds a chunk. x is not kept.
func (c *Client) Send(x []float64) error {
	var head [proto.SeedChunkHeadBytes]byte
	if len(x) == 0 || uint64(len(x)) > math.MaxUint32/proto.SeedItemBytes {
		return fmt.Errorf("send chunk of %d values: %w", len(x), proto.ErrChunk)
	}
	c.note(uint64(len(x)))
	if _, err := c.w.Write(proto.AppendChunkHead(head[:0], uint32(proto.SeedItemBytes*len(x)))); err != nil {
		return fmt.Errorf("send chunk: %w", err)
	}
	if _, err := c.w.Write(bytesOf(x)); err != nil {
		return fmt.Errorf("send chunk: %w", err)
	}
	return nil
}

// note records the length of a chunk before it can be answered.
func (c *Client) note(values uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.runs); n == 0 || c.runs[n-1].values != values {
		c.runs = append(c.runs, run{c.sent, values})
	}
	c.sent++
}

// Flush sends what is gathered.
func (c *Client) Flush() error {
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("send chunks: %w", err)
	}
	return nil
}

// CloseSend says that no more chunks come: results still do, then io.EOF.
func (c *Client) CloseSend() error {
	if err := c.Flush(); err != nil {
		return err
	}
	if h, ok := c.conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return fmt.Errorf("half-close a %T: %w", c.conn, errors.ErrUnsupported)
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// lengths returns how many values the next answer has and how many the one before
// had.
func (c *Client) lengths() (values, before uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered == c.sent {
		return 0, 0, fmt.Errorf("a result of a chunk that was not sent: %w", ErrConversation)
	}
	for len(c.runs) > 1 && c.runs[1].first <= c.answered {
		c.runs = c.runs[1:]
	}
	return c.runs[0].values, uint64(len(c.result.Primary)), nil
}

// Receive returns the answer to the next chunk, in order. It is checked: sequence
// ids count from 1, and DELTA is PRIMARY minus the PRIMARY before it, bit for bit.
// (Added to that one it gives PRIMARY again; where the sum is not exact in
// float64, up to its rounding.)
//
// io.EOF follows the last answer. Other errors wrap ErrConversation, ErrDelta or
// io.ErrUnexpectedEOF, the last also if the server ends before it answered all.
func (c *Client) Receive() (*Result, error) {
	if _, err := c.r.Peek(1); err == io.EOF {
		return nil, c.end()
	}
	values, before, err := c.lengths()
	if err != nil {
		return nil, err
	}
	r := &c.result
	c.previous, r.Primary = r.Primary, c.previous
	c.answered++
	r.Sequence = uint32(c.answered)
	if r.TimeNs, err = c.packet(&r.Primary, values, proto.RolePrimary); err != nil {
		return nil, err
	}
	if c.cfg.NoDelta || before != values {
		r.Delta = nil
		return r, nil
	}
	if _, err = c.packet(&r.Delta, values, proto.RoleDelta); err != nil {
		return nil, err
	}
	return r, c.check()
}

func (c *Client) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := c.sent - c.answered; left > 0 {
		return fmt.Errorf("server ended with %d of %d chunks unanswered: %w", left, c.sent, io.ErrUnexpectedEOF)
	}
	return io.EOF
}

// packet reads one packet of the answer with the sequence of c.result.
func (c *Client) packet(into *[]float64, values uint64, role proto.Role) (timeNs uint64, err error) {
	if _, err := io.ReadFull(c.r, c.head[:]); err != nil {
		return 0, fmt.Errorf("receive result: %w", cut(err))
	}
	h, err := proto.DecodeResultHead(c.head[:])
	if err != nil {
		return 0, fmt.Errorf("receive result: %w", err)
	}
	if want := c.result.Sequence; h.Sequence != want || h.Role != role {
		return 0, fmt.Errorf("packet of type %d and sequence %d, expected %d and %d: %w", h.Role, h.Sequence, role, want, ErrConversation)
	}
	if uint64(cap(*into)) < values {
		*into = make([]float64, values)
	}
	*into = (*into)[:values]
	if _, err := io.ReadFull(c.r, bytesOf(*into)); err != nil {
		return 0, fmt.Errorf("receive result %d: %w", h.Sequence, cut(err))
	}
	return h.TimeNs, nil
}

func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// check compares DELTA with the difference of the two PRIMARY received.
func (c *Client) check() error {
	for i, d := range c.result.Delta {
		want := c.result.Primary[i] - c.previous[i]
		if math.Float64bits(d) != math.Float64bits(want) && !(math.IsNaN(d) && math.IsNaN(want)) {
			return fmt.Errorf("sequence %d, value %d: DELTA %v, PRIMARY %v after %v: %w",
				c.result.Sequence, i, d, c.result.Primary[i], c.previous[i], ErrDelta)
		}
	}
	return nil
}
