//go:build linux

package ipc

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

// packetsOf cuts a script into packets: a length, then as many bytes as there are.
func packetsOf(script []byte) [][]byte {
	var packets [][]byte
	for len(script) > 0 && len(packets) < 20 {
		n := min(int(script[0]), len(script)-1)
		packets = append(packets, script[1:1+n])
		script = script[1+n:]
	}
	return packets
}

// scriptOf is the script of packets.
func scriptOf(packets ...[]byte) []byte {
	var script []byte
	for _, p := range packets {
		script = append(append(script, byte(len(p))), p...)
	}
	return script
}

func noteOf(kind proto.MessageType, position uint64) []byte {
	packet := make([]byte, proto.NoteBytes)
	proto.Note{Type: kind, Position: position}.Encode(packet)
	return packet
}

func helloOf(change func(*proto.Hello)) []byte {
	h := goodHello()
	change(&h)
	packet := make([]byte, proto.HelloBytes)
	h.Encode(packet)
	return packet
}

// served is a ring that a fuzz target's inputs go to, and another when a process that
// has to be taken for alive has used up the reader slots of this one.
type served struct {
	dir string
	w   *Writer
}

func (s *served) renew(t testing.TB) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if s.w != nil {
		s.w.Close(ended)
	}
	var err error
	s.w, err = Listen(context.Background(), "x", WriterConfig{Dir: s.dir, Capacity: proto.MinCapacityBytes, FreeRun: true, Grace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzServer sends packets of any content to a writer's control socket: what came is
// answered or hung up on, and an honest reader attaches and reads afterwards.
func FuzzServer(f *testing.F) {
	// Not in /dev/shm: a process that runs inputs may be killed at the end of its time.
	s := &served{dir: f.TempDir()}
	if err := os.Chmod(s.dir, 0o700); err != nil {
		f.Fatal(err)
	}
	s.renew(f)
	f.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		s.w.Close(ended)
	})
	stream := helloOf(func(*proto.Hello) {})
	f.Add(scriptOf(stream, noteOf(proto.MsgReleased, 64), noteOf(proto.MsgPing, 7), noteOf(proto.MsgGoodbye, 0)))
	f.Add(scriptOf(stream, noteOf(proto.MsgReleased, 1<<63)))
	f.Add(scriptOf(stream, stream))
	f.Add(scriptOf(helloOf(func(h *proto.Hello) { h.Wake = proto.WakePark }), noteOf(proto.MsgPong, 0)))
	f.Add(scriptOf(helloOf(func(h *proto.Hello) { h.Role, h.Wake = proto.RoleObserver, 0 }), noteOf(proto.MsgEvicted, 0)))
	f.Add(scriptOf(nil, []byte("hello")))
	f.Fuzz(func(t *testing.T, script []byte) {
		d, err := openDirectory(s.dir, false)
		if err != nil {
			t.Fatal(err)
		}
		c, err := connectSocket(d, "x")
		d.close()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packetsOf(script) {
			if c.send(p) != nil {
				break
			}
		}
		if readable(c.fd, time.Millisecond) {
			var buf packetBuffer
			_, fds, _ := c.receiveRights(buf[:])
			closeAll(fds)
		}
		c.close()
		readHonestFrame(t, s)
	})
}

// readHonestFrame has a reader attach and read one frame that is committed then.
func readHonestFrame(t *testing.T, s *served) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := Dial(ctx, "x", ReaderConfig{Dir: s.dir, Start: proto.StartLatest, Wake: proto.WakeStream})
	if err != nil {
		s.renew(t) // its slots are taken
		r, err = Dial(ctx, "x", ReaderConfig{Dir: s.dir, Start: proto.StartLatest, Wake: proto.WakeStream})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := s.w.Claim(ctx, proto.F64, 1)
	if err != nil {
		t.Fatal(err)
	}
	c.Float64s()[0] = 42
	c.Commit()
	frame, err := r.Next(ctx)
	if err != nil || frame.Float64s()[0] != 42 {
		t.Fatalf("an honest reader got %v, %v", frame, err)
	}
}
