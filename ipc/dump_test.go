//go:build linux

package ipc

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
)

// mappedFiles are the flags of each mapping of a file below dir that this process has.
func mappedFiles(t *testing.T, dir string) (flags [][]string) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	of := false
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		switch {
		case f[0] == "VmFlags:" && of:
			flags = append(flags, f[1:])
		case !strings.HasSuffix(f[0], ":"): // the head of a mapping
			of = len(f) > 5 && strings.HasPrefix(f[5], dir+"/")
		}
	}
	return flags
}

// Check that no memory of a ring gets into a core dump, whoever maps it and wherever it
// lies: a dump would take as long as the ring is large, and until it is written nobody
// hears of the death.
func TestNotInCoreDumps(t *testing.T) {
	for _, capacity := range []uint64{1 << 16, proto.HugeFromBytes} { // the larger is moved
		dir := testDir(t)
		w := listen(t, "x", WriterConfig{Dir: dir, Capacity: capacity, FreeRun: true})
		publishZeros(t, w, 1)
		want := 2
		check := func(who string, more int) {
			t.Helper()
			want += more
			all := mappedFiles(t, dir)
			if len(all) != want {
				t.Errorf("%s: %d mappings, want %d", who, len(all), want)
			}
			for _, flags := range all {
				if !slices.Contains(flags, "dd") {
					t.Errorf("%s: a mapping of a ring of %d bytes has flags %v, want dd among them", who, capacity, flags)
				}
			}
		}
		check("writer", 0)
		dial(t, "x", ReaderConfig{Dir: dir})
		check("parking reader", 2)
		dial(t, "x", ReaderConfig{Dir: dir, Wake: proto.WakeStream})
		check("stream reader", 2)
		o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		check("observer", 1)
		s, err := OpenSnapshot(dir, "x")
		if err != nil {
			t.Fatal(err)
		}
		check("snapshot", 2)
		if err := errors.Join(o.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
