//go:build linux

package ipc

import (
	"errors"
	"os"
	"testing"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// answerOnce is a writer of ring x that answers one hello as it likes.
func answerOnce(t *testing.T, dir string, packet []byte, fds []int) (done chan error) {
	t.Helper()
	d, err := openDirectory(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	s, err := listenSocket(d, "x")
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() {
		defer s.close()
		readable(s.fd, safetyInterval*100)
		c, err := s.accept()
		if err != nil {
			done <- err
			return
		}
		defer c.close()
		var buf packetBuffer
		readable(c.fd, safetyInterval*100)
		c.receive(buf[:])
		done <- c.send(packet, fds...)
	}()
	return done
}

// Check that a client survives every kind of false welcome with a typed error, and
// that none of the descriptors it was sent stays open.
func TestFalseWelcome(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "good", WriterConfig{Dir: dir, FreeRun: true})
	id := w.Identity()
	good := func() proto.Welcome {
		return proto.Welcome{
			Major: proto.VersionMajor, RingID: id.RingID, Epoch: 1, Descriptors: 4, TableBytes: proto.TableBytes(id.Slots),
		}
	}
	s := w.server
	bell, err := newDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.close()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	short, err := os.CreateTemp(dir, "short")
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	head := make([]byte, proto.IdentityBytes)
	if _, err := w.store.segmentFile.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := short.Write(head); err != nil {
		t.Fatal(err)
	}
	segment, table, b := s.segment, s.tableFull, bell.fd
	for _, c := range []struct {
		what   string
		change func(*proto.Welcome)
		fds    []int
		want   error
	}{
		{"too few descriptors", nil, []int{segment, table, b}, ErrHandshake},
		{"too many descriptors", nil, []int{segment, table, b, b, b}, ErrHandshake},
		{"another count", func(w *proto.Welcome) { w.Descriptors = 2 }, []int{segment, table, b, b}, ErrHandshake},
		{"another version", func(w *proto.Welcome) { w.Major = 7 }, []int{segment, table, b, b}, proto.ErrVersion},
		{"another ring", func(w *proto.Welcome) { w.RingID[3]++ }, []int{segment, table, b, b}, ErrHandshake},
		{"slot beyond the table", func(w *proto.Welcome) { w.Slot = id.Slots }, []int{segment, table, b, b}, ErrHandshake},
		{"another epoch", func(w *proto.Welcome) { w.Epoch = 9 }, []int{segment, table, b, b}, ErrHandshake},
		{"device for a segment", nil, []int{null, table, b, b}, ErrFile},
		{"table for a segment", nil, []int{table, table, b, b}, proto.ErrMagic},
		{"truncated segment", nil, []int{int(short.Fd()), table, b, b}, proto.ErrTruncated},
		{"segment for a table", nil, []int{segment, segment, b, b}, ErrHandshake},
		{"read-only table", nil, []int{segment, s.tableRead, b, b}, os.ErrPermission},
		{"file for a doorbell", nil, []int{segment, table, null, b}, ErrHandshake},
		{"file for the writer's doorbell", nil, []int{segment, table, b, null}, ErrHandshake},
	} {
		t.Run(c.what, func(t *testing.T) {
			before := descriptorCount(t)
			welcome := good()
			if c.change != nil {
				c.change(&welcome)
			}
			var packet [proto.WelcomeBytes]byte
			welcome.Encode(packet[:])
			done := answerOnce(t, dir, packet[:], c.fds)
			r, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, NoWait: true})
			if err == nil {
				r.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			until(t, "every descriptor is closed", func() bool { return descriptorCount(t) <= before })
		})
	}
}
