//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

const (
	firstRetry = 2 * time.Millisecond  // between looks for a ring
	lastRetry  = 50 * time.Millisecond // the interval doubles up to this
)

// client finds the writer of a ring and speaks with it.
type client struct {
	dir    string
	name   string // of the ring
	log    *slog.Logger
	noWait bool
	onWait func(string)
}

// session is one established connection of a client: what the welcome said and
// brought.
type session struct {
	welcome    proto.Welcome
	control    *control
	parker     *parker
	segmentMap *mapping
	segment    *ring.Segment
	tableMap   *mapping // nil for observers
	table      *ring.Table
	writerBell *Doorbell // nil unless in park mode
}

// connect makes a session, and waits for a writer unless told not to, or until ended
// says that there is none to wait for. Errors wrap ErrNoRing, ErrRefused,
// ErrDenied, ErrHandshake, ErrDir, errEnded, that of ctx, and those of the files.
func (c *client) connect(ctx context.Context, h *proto.Hello, ended func() bool) (*session, error) {
	retry := firstRetry
	for {
		over := ended() // before the attempt: a writer that ends it meanwhile waits for its readers
		s, err := c.attempt(ctx, h)
		if err == nil || !worthWaiting(err) || c.noWait {
			return s, err
		}
		if over && !errors.Is(err, errWouldBlock) {
			return nil, errEnded
		}
		if c.onWait != nil {
			c.onWait(c.name)
			c.onWait = nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(retry):
		}
		retry = min(2*retry, lastRetry)
	}
}

// errEnded says that a ring ended while a client looked for its writer.
var errEnded = errors.New("ring has ended")

// endless is what connect is told before a ring is known.
func endless() bool { return false }

// worthWaiting tells a writer that is not there, or not any more, from one that
// says no.
func worthWaiting(err error) bool {
	return errors.Is(err, ErrNoRing) || errors.Is(err, errHangup) || errors.Is(err, errWouldBlock)
}

// attempt connects once.
func (c *client) attempt(ctx context.Context, h *proto.Hello) (*session, error) {
	dir, err := openDirectory(c.dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ring %q: %w: %w", c.name, err, ErrNoRing)
	}
	if err != nil {
		return nil, err
	}
	defer dir.close()
	sock, err := connectSocket(dir, c.name)
	if err != nil {
		return nil, err
	}
	bell, err := newDoorbell()
	if err != nil {
		sock.close()
		return nil, err
	}
	s := &session{parker: &parker{bell: bell, sock: sock}, control: newControl(sock, 0)}
	if err := Guard(func() error { return s.handshake(ctx, h) }, s); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// handshake sends the hello and takes in the answer.
func (s *session) handshake(ctx context.Context, h *proto.Hello) error {
	sock := s.control.sock
	if p, err := sock.peer(); err != nil {
		return err
	} else if p.uid != 0 && p.uid != os.Geteuid() {
		return fmt.Errorf("writer runs as uid %d, this process as uid %d: %w", p.uid, os.Geteuid(), ErrDenied)
	}
	var hello [proto.HelloBytes]byte
	h.Encode(hello[:])
	sendErr := sock.send(hello[:]) // a refusal may be there all the same
	packet, fds, err := s.answer(ctx)
	defer func() { closeAll(fds) }()
	if err != nil {
		return errors.Join(err, sendErr)
	}
	kind, err := proto.TypeOf(packet)
	switch {
	case err != nil:
		return fmt.Errorf("answer to hello: %w: %w", err, ErrHandshake)
	case kind == proto.MsgRefusal:
		r, err := proto.DecodeRefusal(packet)
		if err != nil {
			return fmt.Errorf("%w: %w", err, ErrHandshake)
		}
		return &RefusedError{Code: r.Code, Position: r.Position, Sentence: r.Sentence}
	}
	if s.welcome, err = proto.DecodeWelcome(packet); err != nil {
		return fmt.Errorf("answer to hello: %w: %w", err, ErrHandshake)
	}
	return s.adopt(h, fds)
}

// answer waits for the first packet. It comes with descriptors, and may come just
// before a hang-up that hides it once.
func (s *session) answer(ctx context.Context) (packet []byte, fds []int, err error) {
	resets := 0
	for {
		n, fds, err := s.control.sock.receiveRights(s.control.buf[:])
		switch {
		case err == nil:
			return s.control.buf[:n], fds, nil
		case errors.Is(err, io.EOF):
			return nil, fds, fmt.Errorf("before it answered: %w: %w", errHangup, ErrNoRing)
		case connectionReset(err) && resets == 0:
			resets++
		case connectionReset(err):
			return nil, fds, fmt.Errorf("before it answered: %w: %w", errHangup, ErrNoRing)
		case !errors.Is(err, errWouldBlock):
			return nil, fds, err
		default:
			if err := s.parker.Sleep(ctx); err != nil {
				return nil, fds, err
			}
		}
		closeAll(fds)
	}
}

// adopt takes over the descriptors of a welcome, in the order of
// docs/protocol.md: segment, reader table and, in park mode, the reader's doorbell
// and the writer's. Those taken over are set to -1 in fds.
func (s *session) adopt(h *proto.Hello, fds []int) error {
	park := h.Role == proto.RoleReader && h.Wake == proto.WakePark
	want := 2
	if park {
		want = 4
	}
	if len(fds) != want || int(s.welcome.Descriptors) != want {
		return fmt.Errorf("welcome with %d descriptors that says %d, want %d: %w", len(fds), s.welcome.Descriptors, want, ErrHandshake)
	}
	if err := s.adoptSegment(takeFile(fds, 0, "segment")); err != nil {
		return err
	}
	if h.Role == proto.RoleReader {
		how := readOnly
		if park {
			how = readWrite
		}
		if err := s.adoptTable(takeFile(fds, 1, "reader table"), how); err != nil {
			return err
		}
	}
	if park {
		if err := s.adoptBells(fds); err != nil {
			return err
		}
	}
	s.control.published = s.welcome.Tail
	s.parker.control = s.control
	return nil
}

func takeFile(fds []int, i int, what string) *os.File {
	f := os.NewFile(uintptr(fds[i]), "received "+what)
	fds[i] = -1
	return f
}

func (s *session) adoptSegment(f *os.File) error {
	defer f.Close()
	id, err := readIdentity(f)
	if err != nil {
		return err
	}
	if id.RingID != s.welcome.RingID {
		return fmt.Errorf("welcome to ring %v came with ring %v: %w", s.welcome.RingID, id.RingID, ErrHandshake)
	}
	if s.segmentMap, err = mapFile(f, id.SegmentBytes(), readOnly); err != nil {
		return err
	}
	if s.segment, err = ring.Open(s.segmentMap.mem); err != nil {
		return err
	}
	s.segment.Keep(s.segmentMap)
	return nil
}

func (s *session) adoptTable(f *os.File, how access) error {
	defer f.Close()
	size, err := checkFile(f)
	if err != nil {
		return err
	}
	id := s.segment.Identity()
	if want := proto.TableBytes(id.Slots); size != want || s.welcome.Slot >= id.Slots {
		return fmt.Errorf("slot %d, reader table of %d bytes, want %d: %w", s.welcome.Slot, size, want, ErrHandshake)
	}
	if s.tableMap, err = mapFile(f, size, how); err != nil {
		return err
	}
	if s.table, err = ring.OpenTable(s.tableMap.mem, id); err != nil {
		return err
	}
	if epoch := s.table.Epoch(); epoch != s.welcome.Epoch {
		return fmt.Errorf("reader table of epoch %d, the welcome says %d: %w", epoch, s.welcome.Epoch, ErrHandshake)
	}
	return nil
}

// adoptBells replaces the parker's bell, which only its context rang so far, by
// the one the writer rings.
func (s *session) adoptBells(fds []int) (err error) {
	own, writers := fds[2], fds[3]
	fds[2], fds[3] = -1, -1
	if s.writerBell, err = adoptDoorbell(writers); err != nil {
		closeAll([]int{own})
		return err
	}
	bell, err := adoptDoorbell(own)
	if err != nil {
		return err
	}
	s.parker.close()
	s.parker.bell = bell
	return nil
}

// dropSegment keeps the memory of an earlier session of the same ring in the place
// of this one's.
func (s *session) dropSegment(of *session) {
	s.segmentMap.unmap()
	s.segmentMap, s.segment = of.segmentMap, of.segment
	of.segmentMap, of.segment = nil, nil
}

// close gives everything back; slices into the memory must not be used any more.
func (s *session) close() {
	s.parker.close()
	if s.writerBell != nil {
		s.writerBell.close()
	}
	s.control.close()
	s.segmentMap.retire()
	s.tableMap.retire()
}
