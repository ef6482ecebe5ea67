package bridge

import (
	"fmt"
	"time"

	"github.com/ndring/ndring/proto"
)

// computer answers the chunks of one client within the bridge.
type computer struct {
	*stream
	kernel        Kernel
	x, y, d, last []float64
	primed        bool
	out           *block
	used          int  // of out
	blocked       bool // a write deadline is set
	headBytes     [proto.SeedResultHeadBytes]byte
}

// compute answers chunks until the client ends.
func (s *stream) compute() error {
	c := &computer{stream: s, kernel: s.bridge.cfg.Kernel}
	for {
		err := s.fill()
		if err == nil {
			err = c.answerBlock()
		}
		if e := c.flush(); e != nil {
			return e
		}
		if err != nil {
			return err
		}
	}
}

// answerBlock answers the whole chunks in the block and a large one begun in it.
func (c *computer) answerBlock() error {
	for {
		n, whole, err := c.peek()
		if err != nil || n == 0 {
			return err
		}
		large := n > blockBytes-proto.SeedChunkHeadBytes
		if !whole && !large {
			return nil
		}
		if large {
			err = c.answerLarge(n)
		} else {
			c.size(n / proto.SeedItemBytes)
			copy(bytesOf(c.x), c.consume(n))
			err = c.answer(n)
		}
		if err != nil {
			return err
		}
	}
}

// size makes x, y and d as long as a chunk of m values.
func (c *computer) size(m int) {
	if cap(c.x) < m {
		c.x, c.y, c.d = make([]float64, m), make([]float64, m), make([]float64, m)
	}
	c.x, c.y, c.d = c.x[:m], c.y[:m], c.d[:m]
}

// answerLarge reads a chunk straight to where the kernel takes it. Memory grows
// with what arrives.
func (c *computer) answerLarge(n int) error {
	if cap(c.x) < n/proto.SeedItemBytes {
		if err := c.flush(); err != nil {
			return err
		}
		part := append([]byte(nil), c.takePart()...)
		own, err := c.collect(part, n)
		if err != nil {
			return err
		}
		c.size(n / proto.SeedItemBytes)
		copy(bytesOf(c.x), own)
	} else {
		c.size(n / proto.SeedItemBytes)
		p := bytesOf(c.x)
		if err := c.readPayload(p, copy(p, c.takePart()), n); err != nil {
			return err
		}
		c.bridge.tally.direct.Add(1)
	}
	c.chunks++
	return c.answer(n)
}

// answer computes x, of n bytes, and sends or gathers the results.
func (c *computer) answer(n int) error {
	t := &c.bridge.tally
	t.chunks.Add(1)
	t.chunkBytes.Add(uint64(n))
	delta := c.primed && len(c.last) == len(c.x)
	if delta {
		c.kernel.ApplyDelta(c.y, c.d, c.last, c.x)
	} else {
		c.kernel.Apply(c.y, c.x)
		c.last, c.primed = append(c.last[:0], c.y...), true
	}
	head := proto.ResultHead{TimeNs: uint64(time.Now().UnixNano()), Sequence: uint32(c.chunks)}
	results := 1
	if delta {
		results = 2
	}
	t.results.Add(uint64(results))
	t.resultBytes.Add(uint64(results * n))
	need := results * (proto.SeedResultHeadBytes + n)
	if need > blockBytes {
		return c.sendLarge(head, delta)
	}
	if c.used+need > blockBytes {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if c.out == nil {
		c.out = c.bridge.pool.Get().(*block)
	}
	c.gather(head, c.y)
	if delta {
		head.Role = proto.RoleDelta
		c.gather(head, c.d)
	}
	return nil
}

func (c *computer) gather(head proto.ResultHead, y []float64) {
	p := head.Append(c.out.b[c.used:c.used])
	c.used += len(p) + copy(c.out.b[c.used+len(p):], bytesOf(y))
}

// sendLarge sends results from where the kernel left them.
func (c *computer) sendLarge(head proto.ResultHead, delta bool) error {
	err := c.flush()
	if err == nil {
		err = c.send(head.Append(c.headBytes[:0]), bytesOf(c.y))
	}
	if err == nil && delta {
		head.Role = proto.RoleDelta
		err = c.send(head.Append(c.headBytes[:0]), bytesOf(c.d))
	}
	return err
}

// send sends both parts: at once what the socket takes, the rest within the
// progress time.
func (c *computer) send(a, b []byte) error {
	if c.sock != nil {
		if c.blocked {
			_ = c.conn.SetWriteDeadline(time.Time{})
			c.blocked = false
		}
		n, err := c.sock.tryWrite(a, b, nil)
		if err != nil {
			return c.fail(fmt.Errorf("write: %w", err))
		}
		n -= advance(&a, n)
		advance(&b, n)
	}
	for _, p := range [...][]byte{a, b} {
		if len(p) == 0 {
			continue
		}
		c.blocked = true
		if err := c.write(p); err != nil {
			return c.fail(err)
		}
	}
	return nil
}

// flush sends what is gathered.
func (c *computer) flush() error {
	if c.used == 0 {
		return nil
	}
	err := c.send(c.out.b[:c.used], nil)
	c.bridge.pool.Put(c.out)
	c.out, c.used = nil, 0
	return err
}

// fail gives the client up: what it is owed cannot be sent.
func (c *computer) fail(err error) error {
	c.kill(err)
	return err
}
