//go:build linux

package ipc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"golang.org/x/sys/unix"
)

// roleEndure uses a ring as -wake says (write, park, stream, observe) until an error
// or the end, and says what that was. A writer ends when a line comes in.
func roleEndure(args []string) error {
	f, err := parseRole("endure", args)
	if err != nil {
		return err
	}
	if f.wake == "write" {
		err = f.endureWriting()
	} else {
		err = f.endureReading()
	}
	for _, typed := range []error{ErrSegmentLost, ring.ErrCorrupt, ErrEvicted, ErrWriterLost} {
		if errors.Is(err, typed) {
			fmt.Println("over", err)
			return nil
		}
	}
	if err == io.EOF {
		fmt.Println("over", "ended")
		return nil
	}
	return err
}

func (f *roleFlags) endureWriting() error {
	w, err := Listen(f.ctx, f.ring, WriterConfig{Dir: f.dir, Capacity: f.capacity, Logger: f.logger()})
	if err != nil {
		return err
	}
	fmt.Println("listening")
	var stop atomic.Bool
	go func() {
		bufio.NewScanner(os.Stdin).Scan()
		stop.Store(true)
	}()
	err = Guard(func() error {
		for n := uint64(0); !stop.Load(); n++ {
			c, err := w.Claim(f.ctx, proto.F64, f.elements)
			if err != nil {
				return err
			}
			for i := range c.Float64s() {
				c.Float64s()[i] = valueOf(n, i)
			}
			c.Commit()
		}
		return io.EOF
	}, w)
	late, cancel := context.WithTimeout(f.ctx, 10*time.Second)
	defer cancel()
	if e := w.Close(late); err == io.EOF && e != nil {
		err = e
	}
	return err
}

func (f *roleFlags) endureReading() error {
	next, held, closer, err := f.looking()
	if err != nil {
		return err
	}
	fmt.Println("attached")
	var sum float64
	err = Guard(func() error {
		for {
			frame, err := next(f.ctx)
			if err != nil {
				return err
			}
			for _, v := range frame.Float64s() {
				sum += v
			}
		}
	}, held)
	if e := closer.Close(); e != nil {
		return errors.Join(e, err)
	}
	return err
}

// looking is the reader or observer that the flags describe.
func (f *roleFlags) looking() (func(context.Context) (*ring.Frame, error), ring.Region, io.Closer, error) {
	f.restart = 10 * time.Millisecond
	if f.wake == "observe" {
		o, err := Observe(f.ctx, f.ring, ObserverConfig{Dir: f.dir, RestartWait: f.restart})
		if err != nil {
			return nil, nil, nil, err
		}
		return o.Next, o, o, nil
	}
	r, err := f.dial()
	if err != nil {
		return nil, nil, nil, err
	}
	return r.Next, r, r, nil
}

// damage is something that another process of the same user does to a ring.
type damage struct {
	what string
	do   func(dir string) error
	ends bool // nobody can go on afterwards
}

func damages() []damage {
	cut := func(suffix string, size func(int64) int64) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, "x"+suffix)
			st, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, size(st.Size()))
		}
	}
	nothing := func(int64) int64 { return 0 }
	return []damage{
		{"segment cut to nothing", cut(segmentSuffix, nothing), true},
		{"segment cut to half", cut(segmentSuffix, func(n int64) int64 { return n / 2 &^ (proto.PageBytes - 1) }), true},
		{"segment cut to a part of a page", cut(segmentSuffix, func(n int64) int64 { return n/2 + 100 }), true},
		{"reader table cut to nothing", cut(tableSuffix, nothing), true},
		{"holes in the segment", punchAll(segmentSuffix, proto.DataOffset), false},
		{"holes in everything", punchAll(segmentSuffix, 0), false},
		{"holes in the reader table", punchAll(tableSuffix, 0), false},
	}
}

// punchAll punches page after page, beginning at from, out of a file.
func punchAll(suffix string, from int64) func(dir string) error {
	return func(dir string) error {
		f, err := os.OpenFile(filepath.Join(dir, "x"+suffix), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		for range 20 {
			for at := from; at < st.Size(); at += proto.PageBytes {
				if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, proto.PageBytes); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// Check that no process dies when another one of its user cuts the files of a busy
// ring short, or punches holes into them: everybody gets a typed error, or goes on,
// and what is left can be collected.
func TestDamageUnderTraffic(t *testing.T) {
	for _, d := range damages() {
		t.Run(d.what, func(t *testing.T) {
			dir := testDir(t)
			w := spawn(t, "endure", "-dir", dir, "-wake", "write", "-capacity", "65536", "-elements", "40")
			w.expect("listening")
			all := []*process{w}
			for _, wake := range []string{"park", "stream", "observe"} {
				p := spawn(t, "endure", "-dir", dir, "-wake", wake)
				p.expect("attached")
				all = append(all, p)
			}
			until(t, "traffic passes", func() bool { return tailOf(t, dir) > 1<<20 })
			if err := d.do(dir); err != nil {
				t.Fatal(err)
			}
			if !d.ends {
				w.say("stop") // who was not hit reads to the end
			}
			for i, p := range all {
				how := p.expect("over ")
				p.wait()
				if d.ends && how == "ended" {
					t.Errorf("process %d read to the end of a ring that was cut", i)
				}
			}
			if _, err := Collect(dir); err != nil {
				t.Error(err)
			}
			if left := filesIn(t, dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func tailOf(t *testing.T, dir string) uint64 {
	t.Helper()
	s, err := OpenSnapshot(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Segment.State().Tail
}

// Check that a reader whose ring is cut short gets ErrSegmentLost from every way to
// read, also when nobody else touches the ring, and keeps getting it.
func TestCutUnderReader(t *testing.T) {
	for name, read := range map[string]func(*Reader) error{
		"next":  func(r *Reader) error { _, err := r.Next(t.Context()); return err },
		"batch": func(r *Reader) error { _, err := r.NextBatch(t.Context(), 8); return err },
		"frames": func(r *Reader) error {
			for _, err := range r.Frames(t.Context()) {
				if err != nil {
					return err
				}
			}
			return io.EOF
		},
		"release": func(r *Reader) error {
			if _, err := r.Next(t.Context()); err != nil {
				return err
			}
			return r.Release()
		},
	} {
		for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
			dir := testDir(t)
			w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 1 << 16})
			r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake})
			publish(t, w, 0, 4)
			expectFrames(t, r, 0, 2)
			if err := os.Truncate(filepath.Join(dir, "x.ring"), 0); err != nil {
				t.Fatal(err)
			}
			if !r.Ready() && wake == proto.WakePark {
				t.Errorf("%s: Next would wait", name)
			}
			for range 2 {
				if err := read(r); !errors.Is(err, ErrSegmentLost) {
					t.Errorf("%s: error %v, want ErrSegmentLost", name, err)
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := w.Close(t.Context()); !errors.Is(err, ErrSegmentLost) {
				t.Errorf("writer: error %v, want ErrSegmentLost", err)
			}
		}
	}
}

// Check that a writer whose ring is cut short while a claim is open gets
// ErrSegmentLost from the next claim, whatever is claimed, and none of its methods
// faults.
func TestCutUnderWriter(t *testing.T) {
	ctx := t.Context()
	head := []proto.Header{{DType: proto.F64, NDim: 1, Shape: [8]uint64{5}, ExtFlags: proto.ExtStream}}
	for name, write := range map[string]func(*Writer) error{
		"claim": func(w *Writer) error {
			c, err := w.Claim(ctx, proto.F64, 5)
			if err == nil {
				c.Commit()
			}
			return err
		},
		"frame": func(w *Writer) error {
			c, err := w.ClaimFrame(ctx, &head[0])
			if err == nil {
				c.Commit()
			}
			return err
		},
		"group": func(w *Writer) error {
			g, err := w.ClaimGroup(ctx, head)
			if err == nil {
				g.Commit()
			}
			return err
		},
		"batch": func(w *Writer) error {
			b, err := w.ClaimBatch(ctx, proto.F64, 5, 4)
			if err == nil {
				b.Commit()
			}
			return err
		},
	} {
		for _, suffix := range []string{segmentSuffix, tableSuffix} {
			dir := testDir(t)
			w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 1 << 16, FreeRun: true})
			publish(t, w, 0, 3)
			if err := os.Truncate(filepath.Join(dir, "x"+suffix), 0); err != nil {
				t.Fatal(err)
			}
			write(w)
			if err := write(w); !errors.Is(err, ErrSegmentLost) {
				t.Errorf("%s, %s: error %v, want ErrSegmentLost", name, suffix, err)
			}
			w.State()
			w.Readers()
			w.Blocked()
			if err := w.Close(ctx); !errors.Is(err, ErrSegmentLost) {
				t.Errorf("%s, %s: close: error %v, want ErrSegmentLost", name, suffix, err)
			}
			if left := filesIn(t, dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		}
	}
}

// Check that a client that dials a ring of which the table is gone makes the writer
// give up, and is itself told.
func TestCutUnderServer(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true})
	if err := os.Truncate(filepath.Join(dir, "x.readers"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), "x", ReaderConfig{Dir: dir, NoWait: true}); err == nil {
		t.Error("a reader attached to a table of no bytes")
	}
	<-w.served
	if err := w.ring.Drain(t.Context()); !errors.Is(err, ErrSegmentLost) {
		t.Errorf("error %v, want ErrSegmentLost", err)
	}
}

// Check that Guard is for the memory of its rings alone: other faults and panics go
// on, and the goroutine's setting is what it was.
func TestGuardLetsOthersThrough(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true})
	foreign, err := mapFile(w.store.segmentFile, proto.PageBytes, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	foreign.retire()
	for what, run := range map[string]func() error{
		"a fault elsewhere": func() error { runtime.KeepAlive(foreign.mem[0] + 1); return nil },
		"a panic":           func() error { panic("mine") },
		"a nil pointer":     func() error { var p *process; p.ended = true; return nil },
	} {
		caught := func() (reason any) {
			defer func() { reason = recover() }()
			return ring.Guard(func() error { return Guard(run, w) })
		}()
		if _, isErr := caught.(error); caught == nil || isErr && errors.Is(caught.(error), ErrSegmentLost) {
			t.Errorf("%s: %v", what, caught)
		}
	}
	if err := Guard(func() error { return os.ErrExist }, w); err != os.ErrExist {
		t.Errorf("error %v, want that of the caller", err)
	}
	runtime.KeepAlive(foreign)
}

// Check that a system call's word for lost memory is ErrSegmentLost.
func TestGuardOfSystemCalls(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true})
	c, err := w.Claim(t.Context(), proto.U8, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "x.ring"), 0); err != nil {
		t.Fatal(err)
	}
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	err = Guard(func() error { _, err := zero.Read(c.Payload()); return err }, w)
	if !errors.Is(err, ErrSegmentLost) {
		t.Errorf("error %v, want ErrSegmentLost", err)
	}
}

// Check that a view held across Close neither ends the process nor shows other
// memory: it is invalid, and a fault that Guard turns into ErrClosed.
func TestViewAfterClose(t *testing.T) {
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		dir := testDir(t)
		w := listen(t, "x", WriterConfig{Dir: dir})
		r := dial(t, "x", ReaderConfig{Dir: dir, Wake: wake})
		publish(t, w, 0, 1)
		f, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		view := f.Float64s()
		if !f.Valid() {
			t.Error("a leased frame is not valid")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		for range 20 { // whatever is mapped next must not lie there
			if m, err := mapFile(w.store.segmentFile, w.Identity().SegmentBytes(), readOnly); err == nil {
				defer m.unmap()
			}
		}
		if err := f.Check(); f.Valid() || !errors.Is(err, ErrSegmentLost) {
			t.Errorf("a frame after Close: %v", err)
		}
		var sum float64
		err = Guard(func() error { sum += view[0]; return nil }, r)
		if !errors.Is(err, ErrSegmentLost) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("error %v (sum %v), want ErrSegmentLost and ErrClosed", err, sum)
		}
		if err := r.Release(); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(f)
	}
}

// Check that the addresses of a closed ring are given back once nothing refers to
// it.
func TestAddressesGivenBack(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, Capacity: 1 << 22, FreeRun: true})
	start := func() uintptr {
		o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		at := address(o.session.segmentMap.mem)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		return at
	}()
	until(t, "the addresses are free", func() bool {
		runtime.GC()
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return !strings.Contains(string(maps), fmt.Sprintf("%x-", start)) || w.store.segmentMap.Holds(start)
	})
}
