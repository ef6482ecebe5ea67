//go:build linux

package ipc

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/ndring/ndring/proto"
)

// blockedBy waits until the writer of a ring is blocked by a reader.
func blockedBy(t *testing.T, file *ringFile) {
	t.Helper()
	until(t, "a reader blocks the writer", func() bool { return file.of(proto.WrBlockedSince) != 0 && file.of(proto.WrBlockedBy) != 0 })
}

// Check that the death of a reader frees the writer that it blocks although a child of
// the reader holds its socket open, and whatever pid stands in the reader's slot.
func TestDeathBehindAnOpenSocket(t *testing.T) {
	for _, wake := range []string{"park", "stream"} {
		dir := testDir(t)
		write := told(t, dir, "listen -capacity 65536")
		read := told(t, dir, "dial -wake "+wake)
		label := dial(t, "x", ReaderConfig{Dir: dir}) // maps the table so that it can be written to
		slot := uint64(proto.TableHeadBytes)
		binary.LittleEndian.PutUint32(label.session.tableMap.mem[slot+proto.SlPID:], 1) // which lives
		if err := label.Close(); err != nil {
			t.Fatal(err)
		}
		read.do("lend")
		write.say("put 40 3000")
		blockedBy(t, openRing(t, dir))
		if err := read.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		write.done("put 40 3000") // while the child lives: it ends with the pipe that wait closes
		read.kill()
	}
}

// Check that a reader that named no limit may hold the ring for as long as it is stuck:
// it is not evicted, and finds everything when it goes on.
func TestStuckReaderBlocks(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	impatient := told(t, dir, "dial -evict 1ms")
	stuck := told(t, dir, "dial")
	if err := stuck.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	write.say("put 40 3000")
	file := openRing(t, dir)
	until(t, "the other reader is evicted", func() bool { return file.of(proto.WrEvictions) == 1 })
	impatient.kill()
	blockedBy(t, file)
	if err := stuck.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := stuck.do("next 3000"); got != "2999 0" {
		t.Errorf("the stuck reader is at frame %q, want 2999", got)
	}
	write.done("put 40 3000")
	if n := file.of(proto.WrEvictions); n != 1 {
		t.Errorf("%d evictions, want 1", n)
	}
}
