package inspection

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/proto/npy"
	"github.com/ndring/ndring/ring"
)

// listen makes a ring in a directory of its own that this test process writes.
func listen(t *testing.T, cfg ipc.WriterConfig) *ipc.Writer {
	t.Helper()
	dir, err := os.MkdirTemp("", "ndring-test-*")
	if st, statErr := os.Stat("/dev/shm"); statErr == nil && st.IsDir() {
		os.RemoveAll(dir)
		dir, err = os.MkdirTemp("/dev/shm", "ndring-test-*")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("NDRING_DIR", dir)
	w, err := ipc.Listen(t.Context(), "x", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.Close(ctx)
	})
	return w
}

func publish(t *testing.T, w *ipc.Writer, x ...float64) {
	t.Helper()
	a, err := nd.From(x)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Publish(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func inspected(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Inspect(t.Context(), "x", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Check that a living ring is described right: frames, values, statistics, the lag
// of a named reader in frames and bytes, and that its text and JSON hold it.
func TestInspectLive(t *testing.T) {
	w := listen(t, ipc.WriterConfig{Capacity: 1 << 16, Meta: []byte("{\"a\":\"\x1b\"}")})
	r, err := ipc.Dial(t.Context(), "x", ipc.ReaderConfig{Name: "viewer"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	publish(t, w, 1, 2, math.NaN())
	publish(t, w, math.Inf(1))
	publish(t, w, -3, 5)
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(); err != nil {
		t.Fatal(err)
	}
	got := inspected(t, Options{Frames: 2, Values: 1, Interval: time.Millisecond})
	if got.Writer.Status != "alive" || got.Writer.PID != uint32(os.Getpid()) || got.Verdict.State != StateHealthy {
		t.Errorf("writer %+v, verdict %+v", got.Writer, got.Verdict)
	}
	if got.Flow.Frames != 3 || got.Flow.Tail != 192 || got.Flow.Rate == nil || *got.Flow.Rate != 0 {
		t.Errorf("flow %+v", got.Flow)
	}
	if len(got.Readers) != 1 || got.Readers[0].Name != "viewer" || got.Readers[0].LagBytes != 128 || *got.Readers[0].LagFrames != 2 {
		t.Errorf("readers %+v", got.Readers)
	}
	if len(got.Frames) != 2 || got.Frames[1].Statistics.Mean != 1 || got.Frames[1].Statistics.Min != -3 || got.Frames[0].Statistics.Inf != 1 {
		t.Errorf("frames %+v", got.Frames)
	}
	if first := inspected(t, Options{Frames: 9, Values: 9}).Frames[0]; first.Statistics.NaN != 1 || first.Preview != "[1 2 NaN]" {
		t.Errorf("first frame %+v", first)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
	var text bytes.Buffer
	if err := got.Text(&text, time.Now()); err != nil || !strings.Contains(text.String(), "viewer is 2 frames behind") && !strings.Contains(text.String(), "2 frames behind") {
		t.Errorf("text %v\n%s", err, text.String())
	}
	if strings.Contains(text.String(), "\x1b") {
		t.Error("the text passes control characters of the metadata on")
	}
}

// Check that a writer blocked by a reader is seen with its name and how many frames
// it holds, although its cursor stands before every mark.
func TestInspectBlocked(t *testing.T) {
	w := listen(t, ipc.WriterConfig{Capacity: 1 << 16})
	r, err := ipc.Dial(t.Context(), "x", ipc.ReaderConfig{Name: "viewer"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	for range 2000 { // the cursor ends up in the middle of the ring
		publish(t, w, 1)
		if _, err := r.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() {
		for {
			c, err := w.Claim(ctx, proto.F64, 1)
			if err != nil {
				done <- err
				return
			}
			c.Commit()
		}
	}()
	var got *Report
	for got = inspected(t, Options{}); !got.Blocked.Now; got = inspected(t, Options{}) {
	}
	if got.Blocked.ByName != "viewer" || got.Blocked.HoldsFrames == nil || *got.Blocked.HoldsFrames != 1023 || got.Verdict.State != StateBlocked {
		t.Errorf("blocked %+v, verdict %+v", got.Blocked, got.Verdict)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Check that of a ring that has ended it is told for whom its writer stays: a reader that
// asked to be kept and died, one that lives, and none that it does not wait for.
func TestInspectEnded(t *testing.T) {
	w := listen(t, ipc.WriterConfig{Capacity: 1 << 16})
	var readers []*ipc.Reader
	for _, cfg := range []ipc.ReaderConfig{{Name: "gone", Keep: time.Hour}, {Name: "here", Keep: time.Minute}, {Name: "brief"}} {
		r, err := ipc.Dial(t.Context(), "x", cfg)
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
		defer r.Close()
	}
	if err := readers[0].Leave(); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { closed <- w.Close(ctx) }()
	got := inspected(t, Options{})
	for got.Verdict.State != StateEnded {
		got = inspected(t, Options{})
	}
	want := fmt.Sprintf("waits for the goodbye of gone, pid %d (1h0m0s), here, pid %d (1m0s), no longer", os.Getpid(), os.Getpid())
	if !strings.Contains(got.Verdict.Sentence, want) {
		t.Errorf("%q, want %q", got.Verdict.Sentence, want)
	}
	cancel()
	if err := <-closed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Check that an ended ring whose writer is dead says so, and whether a new one has
// anything to do.
func TestPartingOfTheDead(t *testing.T) {
	for held, want := range map[uint64]bool{0: false, 64: true} {
		r := Report{Writer: Writer{Status: StateEnded, PID: 7}, Flow: Flow{HeldBytes: held}}
		said := r.judge(time.Now()).Sentence
		if !strings.Contains(said, "the writer, pid 7, is dead") || strings.Contains(said, "hands out what is unread") != want {
			t.Errorf("%d bytes held: %q", held, said)
		}
	}
}

// Check that looking changes neither a byte nor a time of the files. The writer's
// control plane may date the tail meanwhile: that word does not count.
func TestInspectChangesNothing(t *testing.T) {
	w := listen(t, ipc.WriterConfig{Capacity: 1 << 16, FreeRun: true})
	publish(t, w, 1, 2)
	path := w.Dir() + "/x.ring"
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stBefore, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	inspected(t, Options{Frames: 3, Values: 3, Interval: time.Millisecond})
	after, err := os.ReadFile(path)
	for _, b := range [][]byte{before, after} {
		clear(b[proto.IdentityBytes+proto.WrTailNs:][:8])
	}
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the segment changed, %v", err)
	}
	if st, err := os.Stat(path); err != nil || !st.ModTime().Equal(stBefore.ModTime()) {
		t.Errorf("the segment's time changed, %v", err)
	}
}

// Check that a frame of 2^48 elements in one byte costs no walk over them.
func TestInspectHugeStrided(t *testing.T) {
	w := listen(t, ipc.WriterConfig{Capacity: 1 << 16, FreeRun: true})
	h := proto.Header{DType: proto.U8, NDim: 2, ExtFlags: proto.ExtShape | proto.ExtStrides}
	h.Shape[0], h.Shape[1] = 1<<24, 1<<20
	c, err := w.ClaimFrame(t.Context(), &h)
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
	got := inspected(t, Options{Frames: 1, Values: 2})
	if f := got.Frames[0]; f.Statistics != nil || !strings.Contains(f.Remark, "too many") {
		t.Errorf("frame %+v", f)
	}
	s, err := ipc.OpenSnapshot("", "x")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := Export(t.Context(), s.Segment, 0, new(bytes.Buffer)); err == nil {
		t.Error("a frame of 2^44 elements was exported")
	}
}

// Check that a frame is exported by its number, and one that is gone is named.
func TestExport(t *testing.T) {
	w := listen(t, ipc.WriterConfig{Capacity: 1 << 16, FreeRun: true})
	for n := range 5 {
		publish(t, w, float64(n), 7)
	}
	s, err := ipc.OpenSnapshot("", "x")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out bytes.Buffer
	if err := Export(t.Context(), s.Segment, 3, &out); err != nil {
		t.Fatal(err)
	}
	a, err := npy.Read(&out)
	if err != nil || a.Preview(2)[0] != "3" {
		t.Errorf("exported %v, %v", a, err)
	}
	if err := Export(t.Context(), s.Segment, 5, &out); !errors.Is(err, ring.ErrNoPosition) {
		t.Errorf("a frame not there yet: %v", err)
	}
}

// Check that processes are told apart by what they do.
func TestProcessState(t *testing.T) {
	if got := processState(uint32(os.Getpid())); got != processAlive {
		t.Errorf("this process is %s", got)
	}
	if got := processState(0); got != processDead {
		t.Errorf("process 0 is %s", got)
	}
	if got := processState(1 << 30); got != processDead {
		t.Errorf("a process that cannot be is %s", got)
	}
}

// Check that an audit finds nothing in a sound ring, alive with a reader at work, and
// names the rule when a word does not fit.
func TestInspectAudits(t *testing.T) {
	w := listen(t, ipc.WriterConfig{Capacity: 1 << 16})
	r, err := ipc.Dial(t.Context(), "x", ipc.ReaderConfig{Name: "viewer"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			_, err := r.Next(t.Context())
			select {
			case <-stop:
				done <- err
				return
			default:
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for n := range 3000 {
		publish(t, w, float64(n), 2)
		if n%300 == 0 {
			if got := inspected(t, Options{Audit: true}); len(got.Findings) > 0 {
				t.Fatalf("after %d frames: %+v", n, got.Findings)
			}
		}
	}
	close(stop)
	publish(t, w, 1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(w.Dir()+"/x.ring", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0x40}, proto.IdentityBytes+proto.WrNumber+7); err != nil {
		t.Fatal(err)
	}
	got := inspected(t, Options{Audit: true})
	if len(got.Findings) != 1 || got.Findings[0].Rule != "number" || got.Verdict.State != StateUnsound {
		t.Errorf("findings %+v, verdict %+v", got.Findings, got.Verdict)
	}
}
