package bridge

import (
	"fmt"
	"sync"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// outbox is what waits to be sent to one client. The goroutine that delivers
// appends and sends what the socket takes at once; what it does not take is sent
// by a goroutine of the client's own, and until that is done everything queues.
type outbox struct {
	mu        sync.Mutex
	block     *block // buf lies in it, if it fits
	buf       []byte
	flushing  bool
	ended     bool // nothing more will come
	dead      bool // nothing more can be sent
	finished  bool
	delivered chan struct{} // closed when ended and all is sent, or dead

	headBytes [proto.SeedResultHeadBytes]byte
	sluggish  int // large results to queue before one is sent from the ring
}

// append queues bytes. The caller holds mu.
func (s *stream) appendOut(p []byte) {
	o := &s.out
	if o.buf == nil {
		o.block = s.bridge.pool.Get().(*block)
		o.buf = o.block.b[:0]
	}
	o.buf = append(o.buf, p...)
}

// clearOut empties the queue and returns its block. The caller holds mu.
func (s *stream) clearOut() {
	o := &s.out
	if o.block != nil {
		s.bridge.pool.Put(o.block)
	}
	o.block, o.buf = nil, nil
}

// queue adds one result and returns how much waits now.
func (s *stream) queue(h proto.ResultHead, payload []byte) int {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead {
		return 0
	}
	s.appendOut(h.Append(o.headBytes[:0]))
	s.appendOut(payload)
	return len(o.buf)
}

// sendQueued sends what the socket takes now.
func (s *stream) sendQueued() {
	o := &s.out
	o.mu.Lock()
	err := s.sendLocked(nil, nil)
	o.mu.Unlock()
	if err != nil {
		s.kill(err)
	}
}

// sendLocked sends queue, head and payload as far as the socket takes them at once
// and queues the rest. The caller holds mu and is the goroutine that delivers.
func (s *stream) sendLocked(head, payload []byte) error {
	o := &s.out
	if o.dead {
		return nil
	}
	if o.flushing || s.sock == nil {
		s.appendOut(head)
		s.appendOut(payload)
		s.startFlushing()
		return nil
	}
	if len(o.buf)+len(head)+len(payload) == 0 {
		return nil
	}
	queued := o.buf
	for {
		n, err := s.sock.tryWrite(queued, head, payload)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		s.credit.give(int64(n))
		n -= advance(&queued, n)
		n -= advance(&head, n)
		advance(&payload, n)
		if len(queued)+len(head)+len(payload) == 0 {
			s.clearOut()
			return nil
		}
		if len(payload) == 0 || !s.sock.awaitRoom(patience) {
			break
		}
	}
	if len(queued) == 0 {
		s.clearOut()
	} else {
		o.buf = queued
	}
	if len(payload) > 0 {
		o.sluggish = hastyChunks
		s.bridge.tally.moved.Add(1)
	}
	s.appendOut(head)
	s.appendOut(payload)
	s.startFlushing()
	return nil
}

// advance cuts up to n bytes from the front of p and returns how many.
func advance(p *[]byte, n int) int {
	n = min(n, len(*p))
	*p = (*p)[n:]
	return n
}

// sendFrom sends one large result straight from the ring if the client keeps up,
// and queues it otherwise.
func (s *stream) sendFrom(h proto.ResultHead, payload []byte) {
	err := s.trySendFrom(h, payload)
	if faulted(err) {
		s.bridge.giveUp(fmt.Errorf("%w: %w", ring.ErrSegmentLost, err))
	}
	if err != nil {
		s.kill(err)
	}
}

// trySendFrom may fault in payload.
func (s *stream) trySendFrom(h proto.ResultHead, payload []byte) error {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	head := h.Append(o.headBytes[:0])
	switch {
	case o.dead:
		return nil
	case o.sluggish > 0:
		o.sluggish--
		s.appendOut(head)
		s.appendOut(payload)
		return s.sendLocked(nil, nil)
	}
	s.bridge.tally.direct.Add(1)
	return s.sendLocked(head, payload)
}

// startFlushing runs a goroutine that empties the queue. The caller holds mu.
func (s *stream) startFlushing() {
	if !s.out.flushing && len(s.out.buf) > 0 {
		s.out.flushing = true
		go s.flush()
	}
}

// flush sends until the queue is empty. A client that takes nothing for the
// progress time is killed.
func (s *stream) flush() {
	o := &s.out
	for {
		o.mu.Lock()
		if o.dead || len(o.buf) == 0 {
			_ = s.conn.SetWriteDeadline(time.Time{})
			o.flushing = false
			o.settle()
			o.mu.Unlock()
			return
		}
		buf, held := o.buf, o.block
		o.buf, o.block = nil, nil
		o.mu.Unlock()
		err := s.write(buf)
		if held != nil {
			s.bridge.pool.Put(held)
		}
		if err != nil {
			s.kill(err)
		}
	}
}

// write sends p, each 64 KiB within the progress time, and returns the credit.
func (s *stream) write(p []byte) error {
	for len(p) > 0 {
		part := p[:min(len(p), blockBytes)]
		if d := s.bridge.cfg.Progress; d > 0 {
			_ = s.conn.SetWriteDeadline(time.Now().Add(d))
		}
		if _, err := s.conn.Write(part); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		s.credit.give(int64(len(part)))
		p = p[len(part):]
	}
	return nil
}

// end says that nothing more will be queued.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.settle()
}

// die gives up what is queued; it reports whether the outbox was alive.
func (o *outbox) die() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := !o.dead && !o.finished
	o.dead = true
	o.buf, o.block = nil, nil
	o.settle()
	return was
}

// settle closes delivered when the time has come. The caller holds mu.
func (o *outbox) settle() {
	if o.finished || !o.dead && (!o.ended || o.flushing || len(o.buf) > 0) {
		return
	}
	o.finished = true
	close(o.delivered)
}
