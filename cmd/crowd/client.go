package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/proto"
)

// values is the length of every good chunk.
const values = 5

// idler is a client that had chunks answered and is silent. It keeps no buffers.
type idler struct {
	conn   net.Conn
	id     int
	before [values]float64
	chunks uint32
}

// play sends one chunk and checks what comes back.
func (c *idler) play() error {
	c.chunks++
	x := make([]float64, values)
	for i := range x {
		x[i] = 2 + float64(c.id)/7 + float64(c.chunks) + float64(i)
	}
	if _, err := c.conn.Write(chunk(x)); err != nil {
		return err
	}
	primary, err := c.receive(proto.RolePrimary)
	if err != nil {
		return err
	}
	if c.chunks > 1 {
		delta, err := c.receive(proto.RoleDelta)
		if err != nil {
			return err
		}
		for i := range delta {
			if delta[i] != primary[i]-c.before[i] {
				return fmt.Errorf("client %d, chunk %d: DELTA %v, PRIMARY %v after %v", c.id, c.chunks, delta, primary, c.before)
			}
		}
	}
	c.before = primary
	return nil
}

func (c *idler) receive(role proto.Role) (y [values]float64, err error) {
	packet := make([]byte, proto.SeedResultHeadBytes+proto.SeedItemBytes*values)
	if _, err := io.ReadFull(c.conn, packet); err != nil {
		return y, err
	}
	h, err := proto.DecodeResultHead(packet)
	if err != nil {
		return y, err
	}
	if h.Sequence != c.chunks || h.Role != role {
		return y, fmt.Errorf("client %d: packet %d of type %d, want %d of type %d", c.id, h.Sequence, h.Role, c.chunks, role)
	}
	return floats(packet[proto.SeedResultHeadBytes:]), nil
}

// dialers is how many clients connect at a time: fewer than wait in a listener's
// queue.
const dialers = 64

// gather connects n clients and plays one chunk with each.
func gather(ctx context.Context, address string, n int) ([]*idler, error) {
	crowd := make([]*idler, n)
	err := each(n, func(i int) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		crowd[i] = &idler{conn: conn, id: i}
		return crowd[i].play()
	})
	if err != nil {
		disperse(crowd)
		return nil, fmt.Errorf("gather %d clients: %w", n, err)
	}
	return crowd, nil
}

func disperse(crowd []*idler) {
	for _, c := range crowd {
		if c != nil {
			_ = c.conn.Close()
		}
	}
}

// each calls do(0) … do(n-1), some at a time.
func each(n int, do func(int) error) error {
	errs := make([]error, dialers)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			for i := d; i < n && errs[d] == nil; i += dialers {
				errs[d] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// pester keeps n bad clients of a kind on the bridge until ctx ends: who is cut
// off comes back.
func pester(ctx context.Context, all *sync.WaitGroup, address string, n int, kind func(context.Context, net.Conn)) {
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
				if err == nil {
					stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
					kind(ctx, conn)
					stop()
					_ = conn.Close()
				}
				pause(ctx, 100*time.Millisecond)
			}
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// trickle sends a good chunk, one byte a second.
func trickle(ctx context.Context, conn net.Conn) {
	for _, b := range chunk([]float64{1, 2, 3, 4, 5}) {
		if _, err := conn.Write([]byte{b}); err != nil {
			return
		}
		pause(ctx, time.Second)
	}
}

// deaf clients send chunks as long as the bridge takes them and read no answer.
type deaf struct{ sent atomic.Uint64 }

func (d *deaf) flood(_ context.Context, conn net.Conn) {
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	many := bytes.Repeat(chunk([]float64{1, 2, 3, 4, 5}), 1000)
	for {
		n, err := conn.Write(many)
		d.sent.Add(uint64(n))
		if err != nil {
			return
		}
	}
}

// stalled waits until the bridge takes nothing from them any more.
func (d *deaf) stalled(ctx context.Context) {
	for before := uint64(1); ctx.Err() == nil && d.sent.Load() != before; {
		before = d.sent.Load()
		pause(ctx, time.Second)
	}
}

// babble sends random bytes until the bridge hangs up.
func babble(_ context.Context, conn net.Conn) {
	noise := make([]byte, 1+rand.IntN(1<<10))
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(noise)
	_, _ = io.Copy(io.Discard, conn)
}

// waiter plays chunk after chunk and times each answer, until ctx ends.
func waiter(ctx context.Context, c *bridge.Client) (*hdrhistogram.Histogram, error) {
	latency := hdrhistogram.New(1, int64(time.Minute), 3)
	x := make([]float64, values)
	for n := 0; ctx.Err() == nil; n++ {
		for i := range x {
			x[i] = float64(n%1000 + i)
		}
		begin := time.Now()
		if err := c.Send(x); err != nil {
			return nil, err
		}
		if err := c.Flush(); err != nil {
			return nil, err
		}
		if _, err := c.Receive(); err != nil {
			return nil, err
		}
		if err := latency.RecordValue(int64(time.Since(begin))); err != nil {
			return nil, err
		}
		pause(ctx, time.Millisecond)
	}
	return latency, nil
}
