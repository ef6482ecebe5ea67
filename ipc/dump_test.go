//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
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

// roleDump is a writer that leaves the ring in its core dump if told to, and that dumps
// core in its working directory as soon as SIGABRT comes.
func roleDump(args []string) error {
	f, err := parseRole("dump", args)
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}); err != nil {
		fmt.Println("ready no", err)
		return nil
	}
	w, err := Listen(context.Background(), f.ring, WriterConfig{Dir: f.dir, Capacity: f.capacity, FreeRun: true, Memory: Memory{Huge: f.huge}})
	if err != nil {
		return err
	}
	if f.plain {
		if err := unix.Madvise(w.store.segmentMap.mem, unix.MADV_DODUMP); err != nil {
			return err
		}
	}
	// The runtime's own handler would print every goroutine first.
	var standard [4]uint64
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGABRT), uintptr(unsafe.Pointer(&standard)), 0, 8, 0, 0); errno != 0 {
		return errno
	}
	fmt.Println("ready yes")
	_, err = os.Stdin.Read(make([]byte, 1))
	return err
}

// Check that a core dump does not hold a ring whose names are gone, though the kernel
// takes such memory for the process's own, and measure when its clients hear of the
// death. NDRING_DUMP_MIB is the size of the ring, 64 by default, NDRING_DUMPS the number of
// dumps of each sort.
func TestCoreDump(t *testing.T) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || strings.ContainsAny(string(pattern), "|/%") {
		t.Skipf("core dumps go to %q (%v), not into the working directory", pattern, err)
	}
	mib, _ := strconv.Atoi(os.Getenv("NDRING_DUMP_MIB"))
	times, _ := strconv.Atoi(os.Getenv("NDRING_DUMPS"))
	if mib == 0 {
		mib = 64
	}
	for _, c := range []struct {
		what string
		abortion
	}{
		{"as it is", abortion{}},
		{"huge pages", abortion{huge: true}},
		{"names gone", abortion{unlink: true}},
		{"names gone, without MADV_DONTDUMP", abortion{unlink: true, plain: true}},
		{"killed without a dump", abortion{kill: true}},
	} {
		var delays []time.Duration
		var dumped int64
		for range max(1, times) {
			d, size := abortWriter(t, mib, c.abortion)
			delays, dumped = append(delays, d), max(dumped, size)
		}
		slices.Sort(delays)
		t.Logf("%d MiB, %s: core of %d MiB, hang-up after p50 %v, most %v", mib, c.what, dumped>>20, delays[len(delays)/2], delays[len(delays)-1])
		if holds := dumped >= int64(mib)<<20; holds != c.plain {
			t.Errorf("%s: the core has %d bytes, the ring %d MiB", c.what, dumped, mib)
		}
	}
}

// abortion is how a writer ends, and what of a ring it has.
type abortion struct{ plain, huge, unlink, kill bool }

// abortWriter has a writer dump core, and returns how long a client's connection lived on
// and how many bytes the core holds.
func abortWriter(t *testing.T, mib int, how abortion) (time.Duration, int64) {
	dir, cwd := testDir(t), t.TempDir()
	defer os.RemoveAll(dir) // the rings of many rounds are much memory
	p := prepare(t, "dump", "-dir", dir, "-capacity", fmt.Sprint(mib<<20), fmt.Sprintf("-plain=%t", how.plain), fmt.Sprintf("-huge=%t", how.huge))
	p.cmd.Dir = cwd
	p.start()
	if answer := p.expect("ready"); answer != "yes" {
		t.Skipf("core dumps cannot be switched on: %s", answer)
	}
	s := rawConnect(t, dir)
	defer s.close()
	h := goodHello()
	h.Role = proto.RoleObserver
	sendHello(t, s, h)
	if _, err := hear(t, s, proto.MsgWelcome); err != nil {
		t.Fatal(err)
	}
	if how.unlink {
		if err := os.Remove(filepath.Join(dir, "x"+segmentSuffix)); err != nil {
			t.Fatal(err)
		}
	}
	end := unix.SIGABRT
	if how.kill {
		end = unix.SIGKILL
	}
	began := time.Now()
	if err := p.cmd.Process.Signal(end); err != nil {
		t.Fatal(err)
	}
	if !readable(s.fd, time.Minute) {
		t.Fatal("no hang-up within a minute")
	}
	took := time.Since(began)
	p.ended = true
	p.cmd.Wait()
	if how.kill {
		return took, 0
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.CoreDump() {
		t.Skipf("the process ended with %v and dumped no core", p.cmd.ProcessState)
	}
	cores, _ := filepath.Glob(filepath.Join(cwd, "core*"))
	if len(cores) != 1 {
		t.Skipf("%d cores in the working directory", len(cores))
	}
	var st unix.Stat_t
	if err := unix.Stat(cores[0], &st); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cores[0]); err != nil {
		t.Fatal(err)
	}
	if how.plain {
		return took, st.Size // whatever the file system makes of zeros
	}
	return took, st.Blocks * 512
}
