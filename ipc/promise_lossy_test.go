//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// observe attaches an observer that is closed after the test.
func observe(t *testing.T, dir string, cfg ObserverConfig) *Observer {
	t.Helper()
	cfg.Dir = dir
	o, err := Observe(t.Context(), "x", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// Check that an observer that does not read holds nobody up, and learns in the end how
// many frames it missed, to the frame.
func TestObserverOfAnotherProcess(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	r := dial(t, "x", ReaderConfig{Dir: dir})
	look := told(t, dir, "observe")
	write.do("put 40 10")
	expectReleased(t, r, 0, 10)
	if got := look.do("next 3"); got != "2 0" {
		t.Errorf("observer is at frame %q, want 2, none lost", got)
	}
	for lap := range uint64(5) {
		write.do("put 40 1000")
		expectReleased(t, r, 10+lap*1000, 1000)
	}
	var number, lost uint64
	if _, err := fmt.Sscan(look.do("next"), &number, &lost); err != nil || lost == 0 || number != 3+lost {
		t.Errorf("frame %d after %d were lost behind frame 2 (%v)", number, lost, err)
	}
}

// Check that an observer that waits where zeros come to lie when it is lapped does not
// take them for a frame to come: it goes on with newer frames and counts what it missed,
// also what it missed before the end.
func TestLappedWhereZerosLie(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536 free")
	o := observe(t, dir, ObserverConfig{})
	write.do("put 40 100")
	for n := range uint64(100) {
		expectStamped(t, o, n, 40)
	}
	for range 5 { // more than a lap
		write.do(fmt.Sprint("blank ", small/4))
	}
	openRing(t, dir).wantCommit(100*64, 0)
	write.do("put 40")
	for n := uint64(100); n < 106; {
		f, err := o.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n += f.Lost(); f.Number() != n {
			t.Fatalf("frame %d, %d lost before it; want number %d", f.Number(), f.Lost(), n)
		}
		n++
	}
	if o.Laps() == 0 {
		t.Error("no lap: this test proves nothing")
	}
	for range 5 {
		write.do(fmt.Sprint("blank ", small/4))
	}
	write.do("close")
	if f, err := o.Next(t.Context()); err != io.EOF || o.Lost() != 10 {
		t.Errorf("frame %v, %v, %d lost, want the end and 10", f, err, o.Lost())
	}
}

// Check that an observer of a process that laps it at full speed gets whole frames only,
// and that those and the ones it was told of as lost are all there were.
func TestLappedAtSpeed(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536 free")
	o := observe(t, dir, ObserverConfig{})
	write.say("flow 8000")
	var seen, lost uint64
	take := func() bool {
		f, err := o.Next(t.Context())
		if err == io.EOF {
			return false
		}
		if err != nil || !stamped(f.Payload(), f.Number()) {
			t.Fatalf("frame %v, %v; torn after %d frames and %d laps", f, err, seen, o.Laps())
		}
		seen++
		if lost += f.Lost(); f.Number()+1 != seen+lost {
			t.Fatalf("frame %d after %d seen and %d lost", f.Number(), seen, lost)
		}
		return true
	}
	for o.Laps() < 300 {
		take()
	}
	write.say("stop")
	var written uint64
	if _, err := fmt.Sscan(write.done("flow"), &written); err != nil {
		t.Fatal(err)
	}
	write.say("close")
	for take() {
	}
	write.done("close")
	if seen+o.Lost() != written {
		t.Errorf("%d frames seen, %d lost, %d written", seen, o.Lost(), written)
	}
	t.Logf("%d of %d frames seen, %d laps", seen, written, o.Laps())
}

// Check that a position counts as the start of a frame where one starts, and nowhere
// else, whatever the payload there looks like; that the oldest one and every mark is
// such a place; and that history is whole from there on.
func TestHistoryInTheFile(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536 free")
	file := openRing(t, dir)
	var starts []uint64 // of frames, by number
	var places []uint64 // of frames and padding
	end := uint64(0)
	for end < 4*small+5000 {
		length := 100 + rng.IntN(3000)
		if left := small - end%small; frameBytes(length) > left {
			places = append(places, end)
			end += left
		}
		starts, places = append(starts, end), append(places, end)
		end += frameBytes(length)
		write.do(fmt.Sprint("poison ", length))
	}
	floor := file.of(proto.WrLimit) - small
	r := dial(t, "x", ReaderConfig{Dir: dir})
	oldest := r.Welcome().Start
	first, _ := slices.BinarySearch(starts, oldest)
	if _, found := slices.BinarySearch(places, oldest); !found || oldest < floor || oldest-floor > small/proto.MarkCount+frameBytes(3100) {
		t.Fatalf("seed %d: oldest position %d, limit %d; something starts there: %v", seed, oldest, floor+small, found)
	}
	for n := first; n < len(starts); n++ {
		if f, err := r.Next(t.Context()); err != nil || f.Number() != uint64(n) || f.Position() != starts[n] {
			t.Fatalf("seed %d: frame %v, %v, want number %d at %d", seed, f, err, n, starts[n])
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	marks := 0
	for i := range uint64(proto.MarkCount) {
		mark := file.of(proto.WrMarks + 8*i)
		if int64(mark-floor) < 0 {
			continue
		}
		marks++
		at, found := slices.BinarySearch(places, mark)
		part := mark &^ (small/proto.MarkCount - 1) // one at the wrap may be that of a later frame: the wrap itself is known
		if !found || at > 0 && places[at-1] >= part && part%small != 0 {
			t.Errorf("seed %d: mark %d says %d, which is not the first frame of its part", seed, i, mark)
		}
	}
	if marks < 8 {
		t.Errorf("seed %d: %d marks are of use", seed, marks)
	}
	for at := floor &^ 63; at <= end+64; at += 64 {
		_, starting := slices.BinarySearch(places, at)
		want := starting && at >= oldest || at == end
		o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir, Start: proto.StartPosition, Position: at})
		if err == nil {
			o.Close()
		}
		if (err == nil) != want || err != nil && !errors.Is(err, ring.ErrNoPosition) {
			t.Errorf("seed %d: observe from %d: error %v, a frame starts there: %v", seed, at, err, want)
		}
		if !want && rng.IntN(8) > 0 {
			continue // a reader costs the writer a slot each time
		}
		r, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, Start: proto.StartPosition, Position: at})
		if err == nil {
			r.Close()
		}
		if (err == nil) != want || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("seed %d: dial from %d: error %v, a frame starts there: %v", seed, at, err, want)
		}
	}
}

// mapped is how a process maps a file of ring x: "r--s" is to read it only.
func mapped(t *testing.T, p *process, dir, suffix string) string {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "x"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	inode := fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino)
	for line := range strings.Lines(string(maps)) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] == inode && strings.HasPrefix(fields[5], "/dev/shm/") {
			found = append(found, fields[1])
		}
	}
	return strings.Join(slices.Compact(found), " ")
}

// Check who maps what how: only the writer may store to the segment, and only it and
// readers that park to the reader table; an observer has no writable memory at all.
func TestWhoMapsWhat(t *testing.T) {
	dir := testDir(t)
	write := told(t, dir, "listen -capacity 65536")
	for _, c := range []struct {
		p              *process
		segment, table string
	}{
		{write, "rw-s", "rw-s"},
		{told(t, dir, "dial"), "r--s", "rw-s"},
		{told(t, dir, "dial -wake stream"), "r--s", "r--s"},
		{told(t, dir, "observe"), "r--s", ""},
	} {
		if segment, table := mapped(t, c.p, dir, segmentSuffix), mapped(t, c.p, dir, tableSuffix); segment != c.segment || table != c.table {
			t.Errorf("%v maps the segment %q and the table %q, want %q and %q", c.p.cmd.Args, segment, table, c.segment, c.table)
		}
	}
}
