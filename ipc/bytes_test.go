//go:build linux

package ipc

import (
	"fmt"
	"testing"
)

// Check that 1 GiB of 16 MiB frames crosses to a reader of each wake mode with
// less than 64 KiB over the control socket.
func TestControlBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 1 GiB")
	}
	dir := testDir(t)
	const frames, elements = 64, 16 << 20 / 8
	size := fmt.Sprint(elements)
	write := spawn(t, "write", "-dir", dir, "-capacity", "134217728", "-elements", size, "-count", fmt.Sprint(frames), "-wait")
	park := spawn(t, "read", "-dir", dir, "-wake", "park", "-elements", size)
	stream := spawn(t, "read", "-dir", dir, "-wake", "stream", "-elements", size)
	park.expect("attached")
	stream.expect("attached")
	write.say("go")
	total := 0
	for _, p := range []*process{park, stream} {
		var read, bytes int
		if _, err := fmt.Sscan(p.expect("read "), &read, &bytes); err != nil || read != frames {
			t.Errorf("read %d frames (%v), want %d", read, err, frames)
		}
		total += bytes
		p.wait()
	}
	write.wait()
	t.Logf("%d bytes over the control socket for %d bytes of payload", total, frames*elements*8)
	if total >= 64<<10 {
		t.Errorf("%d bytes over the control socket, want less than 64 KiB", total)
	}
}
