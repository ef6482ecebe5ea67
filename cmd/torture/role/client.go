//go:build linux

package role

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/page"
	"github.com/ndring/ndring/proto"
)

// converse is a TCP client of a bridge between which and back stands a stage with the
// kernel identity. A connection that breaks is followed by another; the last one, begun
// or gone on with when the laboratory wants the end, must bring every result.
func converse(ctx context.Context, pg *page.Page, p *Part) error {
	for {
		pg.Enter(page.Attaching)
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Address)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		c := &client{reader: &reader{part: p, page: pg, table: castagnoli()}, conn: conn.(*net.TCPConn)}
		c.tell(history.Attached, 0, 0, 0)
		err = c.talk()
		conn.Close()
		var wrong *wrongAnswer
		switch {
		case err == nil:
			c.tell(history.Ended, c.next, 0, 0)
			return nil
		case errors.As(err, &wrong):
			c.tell(history.Torn, wrong.want, 0, wrong.got)
			return err
		}
		c.tell(history.Refused, c.next, 0, 0)
	}
}

// wrongAnswer is returned when what came is not what must come.
type wrongAnswer struct {
	what      string
	want, got uint64
}

func (e *wrongAnswer) Error() string {
	return fmt.Sprintf("%s: want %d, got %d", e.what, e.want, e.got)
}

// window is how many chunks a client sends ahead of the results.
const window = 64

// client is one connection.
type client struct {
	*reader
	conn *net.TCPConn
	sent chan struct{} // one for each chunk without a result
	last []byte        // PRIMARY before this one
	now  []byte
	diff []byte
}

// itemsOf is the length of the chunk of a sequence id.
func itemsOf(sequence uint64) int {
	if sequence%7 == 0 {
		return leastItems + int(sequence%97)
	}
	return 5
}

// talk sends and checks until the laboratory wants the end, then reads what is left.
func (c *client) talk() error {
	c.sent = make(chan struct{}, window)
	stop, total := make(chan struct{}), make(chan uint64, 1)
	go func() { total <- c.send(stop) }()
	in := bufio.NewReader(c.conn)
	var err error
	for err == nil {
		c.page.Enter(page.Waiting)
		err = c.result(in)
	}
	close(stop)
	c.conn.SetWriteDeadline(time.Now())
	if n := <-total; errors.Is(err, io.EOF) && n == c.next && c.page.Finishing() {
		return nil
	}
	return err
}

// send writes chunks until told to end, half-closes, and returns how many it sent.
func (c *client) send(stop <-chan struct{}) uint64 {
	table := castagnoli()
	defer c.conn.CloseWrite()
	for n := uint64(0); ; n++ {
		if c.page.Finishing() {
			return n
		}
		select {
		case c.sent <- struct{}{}:
		case <-stop:
			return n
		}
		if c.chunk(n, table) != nil {
			return n
		}
	}
}

func (c *client) chunk(n uint64, table *crc32.Table) error {
	size := 8 * itemsOf(n+1)
	b := proto.AppendChunkHead(nil, uint32(size))
	b = append(b, make([]byte, size)...)
	fill(b[proto.SeedChunkHeadBytes:], n, 0, table)
	_, err := c.conn.Write(b)
	return err
}

// result reads and checks the PRIMARY that comes next and its DELTA.
func (c *client) result(in *bufio.Reader) error {
	sequence := c.next + 1
	size := 8 * itemsOf(sequence)
	c.last, c.now = c.now, c.last
	var err error
	if c.now, err = c.packet(in, c.now, size, sequence, proto.RolePrimary); err != nil {
		return err
	}
	c.page.Enter(page.Held)
	number, _, whole := parse(c.now, c.table)
	if !whole || number != c.next {
		return &wrongAnswer{"PRIMARY", c.next, number}
	}
	if len(c.last) == size && sequence > 1 {
		if c.diff, err = c.packet(in, c.diff, size, sequence, proto.RoleDelta); err != nil {
			return err
		}
		if i := differs(c.diff, c.now, c.last); i >= 0 {
			return &wrongAnswer{"DELTA, at item", c.next, uint64(i)}
		}
	}
	c.verified(c.next, 0)
	<-c.sent
	return nil
}

// packet reads a result into b.
func (c *client) packet(in *bufio.Reader, b []byte, size int, sequence uint64, role proto.Role) ([]byte, error) {
	var head [proto.SeedResultHeadBytes]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return b[:0], err
	}
	h, err := proto.DecodeResultHead(head[:])
	switch {
	case err != nil:
		return b[:0], &wrongAnswer{err.Error(), uint64(role), uint64(head[12])}
	case uint64(h.Sequence) != sequence:
		return b[:0], &wrongAnswer{"sequence id", sequence, uint64(h.Sequence)}
	case h.Role != role:
		return b[:0], &wrongAnswer{"type of packet", uint64(role), uint64(h.Role)}
	}
	b = append(b[:0], make([]byte, size)...)
	_, err = io.ReadFull(in, b)
	return b, err
}
