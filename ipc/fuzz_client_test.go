//go:build linux

package ipc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"golang.org/x/sys/unix"
)

// FuzzClient answers a client's hello, and the hellos of its reconnects, as a script
// says: welcomes with any field changed, descriptors of any kind and number, notes, bytes,
// stores to the segment and the table it passed, hang-ups. The client gets a typed
// error, or a reader that reads what the ring holds until it fails with one; it
// neither hangs nor keeps a descriptor or a mapping.
func FuzzClient(f *testing.F) {
	p := newPalette(f)
	for _, script := range clientScripts() {
		for kind := range byte(6) {
			f.Add(append([]byte{kind}, script...))
		}
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		before := held(t, p.dir)
		s := p.impostor(t, script)
		hang := time.AfterFunc(time.Minute, func() { panic("a client hangs") })
		useClient(t, s)
		hang.Stop()
		s.end()
		until(t, "the client holds nothing", func() bool { return held(t, p.dir) == before })
	})
}

// holding counts descriptors and mapped files of a process.
type holding struct{ descriptors, mappings int }

func held(t *testing.T, dir string) holding {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return holding{descriptorCount(t), bytes.Count(maps, []byte(dir))}
}

// palette is what an impostor can pass, besides a copy of the segment and the table of
// a true ring.
type palette struct {
	dir     string
	segment []byte
	table   []byte
	tail    uint64
	fds     []int
}

// rivalFrames is how many frames each ring of a palette holds.
const rivalFrames = 40

func newPalette(f *testing.F) *palette {
	p := &palette{dir: f.TempDir()} // not in /dev/shm: a process that runs inputs may be killed
	if err := os.Chmod(p.dir, 0o700); err != nil {
		f.Fatal(err)
	}
	var tables []byte
	for i, cfg := range []WriterConfig{{Slots: 2}, {Slots: 9, Capacity: 2 * proto.MinCapacityBytes}} {
		segment, table, tail := p.ring(f, i, cfg)
		if i == 0 {
			p.segment, p.table, p.tail = segment, table, tail
			p.add(unix.MemfdCreate("open to all", unix.MFD_CLOEXEC))
			p.file(f, segment[:proto.IdentityBytes])
			p.file(f, segment[:len(segment)-1])
			p.file(f, append(bytes.Clone(segment), 0))
			p.file(f, table[:len(table)-1])
			continue
		}
		tables = table
		p.file(f, segment)
	}
	p.file(f, tables)
	p.file(f, nil)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		f.Fatal(err)
	}
	p.add(pipe[0], nil)
	p.add(pipe[1], nil)
	p.add(unix.Open(p.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	p.add(unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0))
	p.add(unix.Open(filepath.Join(p.dir, "file0"), unix.O_PATH|unix.O_CLOEXEC, 0))
	p.add(unix.Open(filepath.Join(p.dir, "file0"), unix.O_WRONLY|unix.O_CLOEXEC, 0))
	p.add(unix.Socket(unix.AF_UNIX, socketType, 0))
	p.add(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	p.add(unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_SEMAPHORE))
	for i, fd := range p.fds {
		if fd < 0 {
			f.Fatalf("descriptor %d of the palette could not be opened", i)
		}
	}
	f.Cleanup(func() { closeAll(p.fds) })
	return p
}

func (p *palette) add(fd int, err error) {
	if err != nil {
		fd = -1
	}
	p.fds = append(p.fds, fd)
}

// file adds a file of the palette's directory.
func (p *palette) file(f *testing.F, content []byte) {
	path := filepath.Join(p.dir, fmt.Sprint("file", len(p.fds)-1))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.Fatal(err)
	}
	p.add(unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0))
}

// ring is the memory of a ring that a living writer filled: frame n of the first holds n,
// that of the second another number.
func (p *palette) ring(f *testing.F, i int, cfg WriterConfig) (segment, table []byte, tail uint64) {
	cfg.Dir, cfg.FreeRun, cfg.Capacity = p.dir, true, max(cfg.Capacity, proto.MinCapacityBytes)
	name := fmt.Sprint("ring", i)
	w, err := Listen(context.Background(), name, cfg)
	if err != nil {
		f.Fatal(err)
	}
	if err := write(context.Background(), w, i*rivalFrames, (i+1)*rivalFrames); err != nil {
		f.Fatal(err)
	}
	tail = w.store.segment.Tail()
	segment, err = os.ReadFile(filepath.Join(p.dir, name+segmentSuffix))
	if err == nil {
		table, err = os.ReadFile(filepath.Join(p.dir, name+tableSuffix))
	}
	if err != nil {
		f.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	w.Close(ended)
	return segment, table, tail
}

// impostor answers clients of ring x as a script says.
type impostor struct {
	palette *palette
	script  *script
	kind    byte
	listens *socket
	stop    *Doorbell
	ctx     context.Context // ends with the script
	cancel  context.CancelFunc
	done    sync.WaitGroup
	segment *os.File
	table   *os.File
	own     []int // segment, table, bells, as an honest writer passes them
	altered bool  // the segment is no longer that of the true ring
}

func (p *palette) impostor(t *testing.T, input []byte) *impostor {
	d, err := openDirectory(p.dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	s := &impostor{palette: p, script: &script{rest: input}}
	s.kind = s.script.byte()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.segment, s.table = s.copyOf(t, d, p.segment), s.copyOf(t, d, p.table)
	if s.stop, err = newDoorbell(); err != nil {
		t.Fatal(err)
	}
	s.own = []int{int(s.segment.Fd()), int(s.table.Fd())}
	for range 2 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		s.own = append(s.own, fd)
	}
	if s.listens, err = listenSocket(d, "x"); err != nil {
		t.Fatal(err)
	}
	s.done.Add(1)
	go s.serve()
	return s
}

func (s *impostor) copyOf(t *testing.T, d *directory, content []byte) *os.File {
	f, err := newFile(d, uint64(len(content)))
	if err == nil {
		_, err = f.WriteAt(content, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// end waits until the script is over; nobody connects any more.
func (s *impostor) end() {
	s.stop.Ring()
	s.done.Wait()
	s.stop.close()
	s.segment.Close()
	s.table.Close()
	closeAll(s.own[2:])
}

// mostHangups keeps an input short: between two attempts a client waits.
const mostHangups = 6

// serve answers one client after the other until the script is over. Then who waits
// for more is told by its context.
func (s *impostor) serve() {
	defer s.done.Done()
	defer s.cancel()
	defer s.listens.close()
	for n := 0; n == 0 || len(s.script.rest) > 0 && n < mostHangups; n++ {
		if !s.awaits(s.listens.fd) {
			return
		}
		c, err := s.listens.accept()
		if err != nil {
			return
		}
		if s.awaits(c.fd) {
			s.answer(c)
		}
		c.close()
	}
}

// awaits waits until fd can be read, or the client has ended.
func (s *impostor) awaits(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(s.stop.fd), Events: unix.POLLIN}}
	return pollFor(fds, time.Minute) == nil && fds[1].Revents == 0
}

// answer plays the script up to a hang-up. What does not get through is left out, as
// the client may have gone.
func (s *impostor) answer(c *socket) {
	var buf packetBuffer
	c.receive(buf[:])
	for range 40 {
		if len(s.script.rest) == 0 {
			return
		}
		switch s.script.byte() % 7 {
		case 0:
			return
		case 1:
			c.send(s.welcome(), s.descriptors(true)...)
		case 2:
			kind := proto.MessageType(s.script.byte() % 12)
			c.send(noteOf(kind, s.position()), s.descriptors(false)...)
		case 3:
			c.send(s.script.bytes(int(s.script.byte())), s.descriptors(false)...)
		case 4:
			s.altered = true
			s.store(s.segment, len(s.palette.segment))
		case 5:
			s.store(s.table, len(s.palette.table))
		case 6: // the client's turn
			readable(c.fd, time.Millisecond)
			c.receive(buf[:])
		}
	}
}

// welcome is an honest one, but for some bytes.
func (s *impostor) welcome() []byte {
	id, err := proto.DecodeIdentity(s.palette.segment)
	if err != nil {
		panic(err)
	}
	w := proto.Welcome{
		Major: proto.VersionMajor, Minor: proto.VersionMinor, RingID: id.RingID, Epoch: 1, Generation: 1,
		Descriptors: 2, Tail: s.palette.tail, TableBytes: proto.TableBytes(id.Slots),
	}
	switch s.kind % 3 {
	case 0:
		w.Descriptors = 4
	case 2:
		w.Slot = proto.NoSlot
	}
	packet := make([]byte, proto.WelcomeBytes)
	w.Encode(packet)
	for range s.script.byte() % 4 {
		packet[s.script.byte()%proto.WelcomeBytes] = s.script.byte()
	}
	return packet
}

// descriptors are those of an honest welcome, or none besides other messages, or any.
func (s *impostor) descriptors(welcome bool) []int {
	n := s.script.byte() % 8
	if n == 0 && welcome {
		return s.own[:map[byte]int{0: 4, 1: 2, 2: 2}[s.kind%3]]
	}
	all := append(s.own[:len(s.own):len(s.own)], s.palette.fds...)
	var fds []int
	for range n {
		fds = append(fds, all[int(s.script.byte())%len(all)])
	}
	return fds
}

// position is a multiple of a line near the ring's frames, or anything.
func (s *impostor) position() uint64 {
	if n := s.script.byte(); n < 0x80 {
		return uint64(n) * proto.LineBytes
	}
	var raw [8]byte
	copy(raw[:], s.script.bytes(8))
	return binary.LittleEndian.Uint64(raw[:])
}

// store changes some bytes of a file.
func (s *impostor) store(f *os.File, size int) {
	at := int(s.script.byte()) | int(s.script.byte())<<8 | int(s.script.byte())<<16
	change := s.script.bytes(int(s.script.byte() % 9))
	if at %= size; at+len(change) <= size {
		f.WriteAt(change, int64(at))
	}
}

// script is what is left of a script; zeros follow.
type script struct{ rest []byte }

func (s *script) byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

func (s *script) bytes(n int) []byte {
	n = min(n, len(s.rest))
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

// deceived is a Reader or an Observer.
type deceived interface {
	Next(context.Context) (*ring.Frame, error)
	Close() error
	ring.Region
}

// useClient dials or observes, reads until an error and closes.
func useClient(t *testing.T, s *impostor) {
	patience := time.Minute
	if s.kind%6 > 2 {
		patience = -1
	}
	var c deceived
	var err error
	if s.kind%3 == 2 {
		var o *Observer
		o, err = Observe(s.ctx, "x", ObserverConfig{Dir: s.palette.dir, NoWait: true, RestartWait: patience})
		c = o
	} else {
		var r *Reader
		wake := []proto.Wake{proto.WakePark, proto.WakeStream}[s.kind%3]
		r, err = Dial(s.ctx, "x", ReaderConfig{Dir: s.palette.dir, Wake: wake, NoWait: true, RestartWait: patience, Spin: -1})
		c = r
	}
	if err != nil {
		expectTyped(t, err)
		return
	}
	expectTrueFrames(t, s, c)
	if err := c.Close(); err != nil {
		expectTyped(t, err)
	}
	if _, err := c.Next(context.Background()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: error %v, want os.ErrClosed", err)
	}
}

// expectTrueFrames reads until an error. Unless the impostor changed the segment, no
// frame comes but those of the true ring.
func expectTrueFrames(t *testing.T, s *impostor, c deceived) {
	var got []float64
	var numbers []uint64
	for range 3 * rivalFrames {
		f, err := c.Next(s.ctx)
		if err != nil {
			expectTyped(t, err)
			break
		}
		err = Guard(func() error {
			if numbers = append(numbers, f.Number()); len(f.Payload()) == 8 {
				got = append(got, f.Float64s()[0])
			}
			return nil
		}, c)
		if err != nil {
			expectTyped(t, err)
		}
	}
	s.stop.Ring()
	s.done.Wait() // so that altered is final
	for i, n := range numbers {
		if !s.altered && (i >= len(got) || got[i] != float64(n) || n != numbers[0]+uint64(i)) {
			t.Fatalf("frames %v with %v came of a ring in which each holds its number", numbers, got)
		}
	}
}

// expectTyped demands that an error can be told from others by a program.
func expectTyped(t *testing.T, err error) {
	t.Helper()
	var system unix.Errno
	for _, known := range []error{
		ErrNoRing, ErrWriterLost, ErrRefused, ErrFile, ErrNoSpace, ErrHandshake, ErrEvicted, ErrSegmentLost, context.Canceled, io.EOF,
		ring.ErrCorrupt, ring.ErrKind, ring.ErrNoPosition, ring.ErrSlot, ring.ErrMemory, ring.ErrFinished,
		proto.ErrMagic, proto.ErrEndian, proto.ErrVersion, proto.ErrFeature, proto.ErrNotReady, proto.ErrChecksum, proto.ErrTruncated,
		proto.ErrGeometry, proto.ErrHeader, proto.ErrMessage, proto.ErrName, proto.ErrShape,
	} {
		if errors.Is(err, known) {
			return
		}
	}
	if !errors.As(err, &system) || !strings.Contains(err.Error(), " ") {
		t.Errorf("error of no known type: %v", err)
	}
}

// clientScripts are the scripts that a fuzzer starts from.
func clientScripts() [][]byte {
	honest := []byte{1, 0, 0} // a welcome, nothing changed, the descriptors that belong to it
	note := func(kind proto.MessageType, line byte) []byte { return []byte{2, byte(kind), line, 0} }
	welcome := func(fds ...byte) []byte { return append([]byte{1, 0, byte(len(fds))}, fds...) }
	return [][]byte{
		{},
		{0, 0, 0},
		bytes.Join([][]byte{honest, note(proto.MsgPublished, 40), {6}, note(proto.MsgPing, 1), {6}, note(proto.MsgClosed, 40)}, nil),
		bytes.Join([][]byte{honest, note(proto.MsgEvicted, 0)}, nil),
		bytes.Join([][]byte{honest, note(proto.MsgPublished, 127), {6}, note(proto.MsgPublished, 3)}, nil),
		bytes.Join([][]byte{honest, {6, 0}, honest, {6, 0}, honest}, nil), // hang-ups and reconnects
		bytes.Join([][]byte{honest, {6, 0}, welcome(9, 10, 2, 3)}, nil),   // to another ring
		bytes.Join([][]byte{honest, {4, 0x10, 0x20, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 6}}, nil),
		bytes.Join([][]byte{honest, {5, 0, 1, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 6}}, nil),
		{1, 1, proto.WeStart, 1, 0},                // starts at no frame
		{1, 1, proto.WeSlot, 9, 0},                 // a slot that is not there
		{3, 4, 1, 2, 3, 4, 7, 0, 1, 2, 3, 4, 5, 6}, // bytes, with more descriptors than fit
		welcome(),
		welcome(0, 1), welcome(0, 0), welcome(1, 0), welcome(0, 1, 2, 2), welcome(0, 1, 0, 1), welcome(0, 1, 2, 3, 3),
		welcome(9, 10, 2, 3), welcome(9, 10), welcome(0, 10), welcome(0, 10, 2, 3), // another ring
		welcome(4, 1, 2, 3), welcome(5, 1, 2, 3), welcome(6, 1, 2, 3), welcome(7, 1, 2, 3), welcome(0, 8, 2, 3), welcome(11, 11),
		welcome(12, 13), welcome(0, 14, 2, 3), welcome(15, 1), welcome(16, 1, 2, 3), welcome(0, 17), welcome(17, 1),
		welcome(0, 1, 18, 19), welcome(0, 1, 20, 20), welcome(18, 19), welcome(20, 20),
	}
}
