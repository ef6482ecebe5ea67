//go:build linux

package ipc

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// greeted connects to ring x, says hello and returns the welcome with its descriptors,
// which are closed after the test.
func greeted(t *testing.T, dir string, h proto.Hello) (*socket, proto.Welcome, []int) {
	t.Helper()
	s := rawConnect(t, dir)
	t.Cleanup(s.close)
	sendHello(t, s, h)
	var buf packetBuffer
	if !readable(s.fd, handTime) {
		t.Fatal("no answer to a hello")
	}
	n, fds, err := s.receiveRights(buf[:])
	t.Cleanup(func() { closeAll(fds) })
	if err != nil {
		t.Fatal(err)
	}
	if n != proto.WelcomeBytes {
		t.Fatalf("an answer of %d bytes, want a welcome", n)
	}
	w, err := proto.DecodeWelcome(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	return s, w, fds
}

func sendNote(t *testing.T, s *socket, kind proto.MessageType, position uint64) {
	t.Helper()
	var packet [proto.NoteBytes]byte
	proto.Note{Type: kind, Position: position}.Encode(packet[:])
	if err := s.send(packet[:]); err != nil {
		t.Fatal(err)
	}
}

// hearNote waits for a note of that type at that position or beyond, passing over those
// before it.
func hearNote(t *testing.T, s *socket, kind proto.MessageType, position uint64) proto.Note {
	t.Helper()
	for {
		said, err := hear(t, s, kind)
		if err != nil {
			t.Fatalf("waiting for a note of type %d: %v", kind, err)
		}
		if len(said) != proto.NoteBytes {
			t.Fatalf("a note of %d bytes", len(said))
		}
		n, err := proto.DecodeNote(said)
		if err != nil {
			t.Fatal(err)
		}
		if int64(n.Position-position) >= 0 {
			return n
		}
	}
}

// accessOf is how a descriptor of a file may be used.
func accessOf(t *testing.T, fd int) int {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	return flags & unix.O_ACCMODE
}

// Check that the control socket of a ring is one of packets, served by the process that
// writes it, and what its welcome says and brings in each role and wake mode: place,
// epoch, history, and descriptors that allow no more than they must.
func TestWelcomeOfAnotherProcess(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	id := openRing(t, dir).id
	write.do("put 40 20")
	for i, c := range []struct {
		role   proto.RoleOnRing
		wake   proto.Wake
		start  proto.Start
		access []int // of the descriptors, in their order
	}{
		{proto.RoleReader, proto.WakePark, proto.StartOldest, []int{unix.O_RDONLY, unix.O_RDWR, unix.O_RDWR, unix.O_RDWR}},
		{proto.RoleReader, proto.WakeStream, proto.StartLatest, []int{unix.O_RDONLY, unix.O_RDONLY}},
		{proto.RoleObserver, proto.WakeStream, proto.StartOldest, []int{unix.O_RDONLY, unix.O_RDONLY}},
	} {
		s, w, fds := greeted(t, dir, proto.Hello{Major: proto.VersionMajor, Role: c.role, Wake: c.wake, Start: c.start})
		if kind, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
			t.Errorf("socket of type %d, %v", kind, err)
		}
		if p, err := s.peer(); err != nil || p.pid != write.cmd.Process.Pid {
			t.Errorf("served by %+v, %v, want pid %d", p, err, write.cmd.Process.Pid)
		}
		slot, start := uint32(i), uint64(0)
		if c.start == proto.StartLatest {
			start = 20 * 64
		}
		if c.role == proto.RoleObserver {
			slot = proto.NoSlot
		}
		if w.RingID != id.RingID || w.Epoch != 1 || w.Slot != slot || w.Start != start || w.Oldest != 0 || w.Tail != 20*64 || w.Flags&proto.WelcomeNewer != 0 {
			t.Errorf("welcome %+v, want slot %d, start %d", w, slot, start)
		}
		if len(fds) != len(c.access) || int(w.Descriptors) != len(fds) {
			t.Fatalf("%d descriptors, %d said, want %d", len(fds), w.Descriptors, len(c.access))
		}
		for k, fd := range fds {
			if got := accessOf(t, fd); got != c.access[k] {
				t.Errorf("role %d, wake mode %d: descriptor %d may be used in mode %d, want %d", c.role, c.wake, k, got, c.access[k])
			}
		}
		if _, err := unix.Mmap(fds[0], 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != unix.EACCES {
			t.Errorf("the segment can be mapped for writing: %v", err)
		}
	}
}

// Check that a hello of another length or version, or that asks for what is not there,
// is answered by a refusal with its code and a sentence, in whole records, and costs the
// other process nothing.
func TestRefusalOfAnotherProcess(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	hello := goodHello()
	encoded := func(change func(*proto.Hello)) []byte {
		h := hello
		change(&h)
		var packet [proto.HelloBytes]byte
		h.Encode(packet[:])
		return packet[:]
	}
	whole := encoded(func(*proto.Hello) {})
	for what, c := range map[string]struct {
		packet []byte
		code   proto.Code
		word   string
	}{
		"short":    {whole[:proto.HelloBytes-1], proto.CodeMalformed, ""},
		"long":     {append(append([]byte{}, whole...), 0), proto.CodeMalformed, ""},
		"version":  {encoded(func(h *proto.Hello) { h.Major = 7 }), proto.CodeVersion, "7"},
		"ring":     {encoded(func(h *proto.Hello) { h.RingID[0] = 1 }), proto.CodeRingID, "replaced"},
		"position": {encoded(func(h *proto.Hello) { h.Start, h.Position = proto.StartPosition, 6400 }), proto.CodePosition, "6400"},
	} {
		s := rawConnect(t, dir)
		if err := s.send(c.packet); err != nil {
			t.Fatal(err)
		}
		packet, err := hear(t, s, proto.MsgRefusal)
		if err != nil || len(packet) != proto.RefusalBytes {
			t.Fatalf("%s: %d bytes, %v, want a refusal", what, len(packet), err)
		}
		r, err := proto.DecodeRefusal(packet)
		if err != nil || r.Code != c.code || !strings.Contains(r.Sentence, c.word) || r.Sentence == "" {
			t.Errorf("%s: refusal %+v (%v), want code %d and %q", what, r, err, c.code, c.word)
		}
		s.close()
	}
	r := dial(t, "x", ReaderConfig{Dir: dir})
	write.do("put 40")
	expectReleased(t, r, 0, 1)
}

// Check that a reader in park mode hears nothing over its socket while frames flow,
// asleep or not, and that a doorbell that is full holds nobody up: it has been rung.
func TestParkNeedsNoMessages(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir, Spin: -1})
	before := r.ControlBytes()
	write.say("put 40 20000")
	expectReleased(t, r, 0, 20000)
	write.done("put")
	sleepOnce(t, r) // and leaves itself parked at the end of what is there
	for n := range uint64(100) {
		full := []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		if _, err := unix.Write(r.session.parker.bell.fd, full); err != nil && err != unix.EAGAIN {
			t.Fatal(err)
		}
		write.do("put 40")
		expectReleased(t, r, 20000+n, 1)
	}
	if after := r.ControlBytes(); after != before {
		t.Errorf("%d bytes went over the socket", after-before)
	}
}

// Check that a client in stream mode, which stores to no shared memory, is told of what
// is committed and moves its cursor by message; that positions stand for all before
// them, so that one note gives many frames back; and that the end carries the final one.
func TestStreamByMessages(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	s, w, _ := greeted(t, dir, goodHello())
	cursor := func() uint64 {
		snapshot, err := OpenSnapshot(dir, "x")
		if err != nil {
			t.Fatal(err)
		}
		defer snapshot.Close()
		return snapshot.Readers()[0].Cursor
	}
	for n := range uint64(50) {
		write.do("put 40")
		hearNote(t, s, proto.MsgPublished, 64*(n+1))
	}
	write.do("put 40 973")
	hearNote(t, s, proto.MsgPublished, 1023*64)
	line := "put 40 500"
	write.say(line)
	until(t, "the writer is blocked", func() bool { return openRing(t, dir).of(proto.WrBlockedSince) != 0 })
	if got := cursor(); got != w.Start {
		t.Errorf("cursor %d before anything was given back, want %d", got, w.Start)
	}
	sendNote(t, s, proto.MsgReleased, 600*64) // one for 600 frames
	write.done(line)
	if got := cursor(); got != 600*64 {
		t.Errorf("cursor %d, want %d", got, 600*64)
	}
	write.say("close")
	if n := hearNote(t, s, proto.MsgClosed, 0); n.Position != 1523*64 {
		t.Errorf("closed at %d, want %d", n.Position, 1523*64)
	}
	sendNote(t, s, proto.MsgPing, 5)
	hearNote(t, s, proto.MsgPong, 5)
	sendNote(t, s, proto.MsgReleased, 1523*64)
	write.done("close")
	if _, err := hear(t, s, proto.MsgClosed); err != io.EOF {
		t.Errorf("error %v after the end, want that of a hang-up", err)
	}
}

// Check that clients that do not read their sockets cost a writer in another process
// nothing, and get the newest of each note once they do: how far frames go, that they
// were evicted, and where the ring ends.
func TestDeafClientOfAnotherProcess(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir})
	h := goodHello()
	h.EvictMs = 1
	victim, _, _ := greeted(t, dir, h)
	h.Role, h.EvictMs = proto.RoleObserver, 0
	deaf, _, _ := greeted(t, dir, h)
	frames, queued, still := uint64(0), 0, 0
	for frames < 3000 || still < 50 { // until no more note finds room
		write.do("put 40 3")
		expectReleased(t, r, frames, 3)
		frames += 3
		now, err := unix.IoctlGetInt(deaf.fd, unix.SIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		if still++; now != queued {
			queued, still = now, 0
		}
	}
	if queued < 100*proto.NoteBytes {
		t.Errorf("%d bytes fill a socket: this test proves nothing", queued)
	}
	write.do("put 40")
	write.say("close") // and wait for the frame to be read
	if n := hearNote(t, victim, proto.MsgEvicted, 0); n.Code != proto.CodeTooSlow {
		t.Errorf("evicted for code %d, want %d", n.Code, proto.CodeTooSlow)
	}
	if n := hearNote(t, deaf, proto.MsgClosed, 0); n.Position != (frames+1)*64 {
		t.Errorf("closed at %d, want %d", n.Position, (frames+1)*64)
	}
	expectReleased(t, r, frames, 1)
	expectEnd(t, r)
	write.done("close")
}

// Check that the files of a ring are made complete before they have names, are closed to
// others, and are those of the ring and nothing else.
func TestFilesOfAnotherProcess(t *testing.T) {
	dir := testDir(t)
	told(t, dir, "listen -capacity 65536")
	for _, name := range []string{"x.ring", "x.readers", "x.lock"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v, want a file that is closed to others", name, info, err)
		}
	}
	if left := filesIn(t, dir); len(left) != 4 {
		t.Errorf("files %q, want four", left)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "x.ring"), &st); err != nil || uint64(st.Blocks)*512 < openRing(t, dir).id.SegmentBytes() {
		t.Errorf("%d blocks are reserved (%v), the ring has %d bytes", st.Blocks, err, st.Size)
	}
}
