//go:build linux

package ipc

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// hand is the other process of a test that decides every step: it does what each line
// says, one after the other, and answers it with a line that begins with "= ", or with
// "! " and an error.
type hand struct {
	dir     string
	w       *Writer
	written uint64
	payload []byte // of the claim that is open
	commit  func()
	abort   func()
	r       *Reader
	o       *Observer
	frame   *ring.Frame
	stop    atomic.Bool
	idle    atomic.Uint64
}

func roleHand(args []string) error {
	h := &hand{dir: args[0]}
	lines := make(chan string, 16)
	go func() {
		for line := range lines {
			said, err := h.obey(strings.Fields(line))
			if err != nil {
				fmt.Println("! " + strings.ReplaceAll(err.Error(), "\n", "; "))
				continue
			}
			fmt.Println("= " + said)
		}
	}()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "gc": // while a line is being obeyed
			runtime.GC()
			fmt.Println("collected")
		case "stop":
			h.stop.Store(true)
		default:
			lines <- in.Text()
		}
	}
	return in.Err() // whoever tells it is gone, or has heard every answer
}

func (h *hand) obey(words []string) (string, error) {
	verbs := map[string]func([]string) (string, error){
		"listen": h.listen, "claim": h.claim, "group": h.group, "batch": h.claimBatch, "rich": h.rich, "commit": h.finish, "abort": h.drop,
		"put": h.put, "fill": h.fill, "flow": h.flow, "blank": h.blank, "poison": h.poison, "close": h.close, "die": h.die,
		"dial": h.dial, "observe": h.observe, "next": h.next, "release": h.release, "valid": h.valid, "cpu": h.cpu, "drip": h.drip, "sip": h.sip, "lend": h.lend,
	}
	verb := verbs[words[0]]
	if verb == nil {
		return "", fmt.Errorf("no such verb: %q", words)
	}
	return verb(words[1:])
}

// listen takes the flags of a role, the first position, and words for what is either
// so or not.
func (h *hand) listen(args []string) (string, error) {
	f, err := parseRole("listen", args)
	if err != nil {
		return "", err
	}
	cfg := WriterConfig{Dir: h.dir, Capacity: f.capacity, Logger: f.logger(), Spin: f.spin, Grace: f.keep}
	for _, word := range f.Args() {
		switch word {
		case "free":
			cfg.FreeRun = true
		case "drop":
			cfg.Policy = proto.PolicyDropNewest
		case "recreate":
			cfg.Recreate = true
		default:
			if cfg.Start, err = strconv.ParseUint(word, 10, 64); err != nil {
				return "", err
			}
		}
	}
	if h.w, err = Listen(f.ctx, f.ring, cfg); err != nil {
		return "", err
	}
	h.written = h.w.State().Number
	return fmt.Sprint(h.w.Epoch(), h.written), nil
}

// claim opens a claim of n bytes and writes the payload.
func (h *hand) claim(args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	c, err := h.w.Claim(context.Background(), proto.U8, n)
	if err != nil {
		return "", err
	}
	h.payload = c.Payload()
	stamp(h.payload, h.written)
	h.commit, h.abort = func() { c.Commit(); h.written++ }, c.Abort
	return "", nil
}

// group opens a group of frames of as many bytes as the words say.
func (h *hand) group(args []string) (string, error) {
	var heads []proto.Header
	for _, word := range args {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return "", err
		}
		heads = append(heads, proto.Header{DType: proto.U8, NDim: 1, Shape: [proto.MaxDims]uint64{n}})
	}
	g, err := h.w.ClaimGroup(context.Background(), heads)
	if err != nil {
		return "", err
	}
	for i := range heads {
		stamp(g.Payload(i), h.written+uint64(i))
	}
	h.commit, h.abort = func() { g.Commit(); h.written += uint64(len(heads)) }, g.Abort
	return "", nil
}

// claimBatch opens a batch of frames of n bytes.
func (h *hand) claimBatch(args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	b, err := h.w.ring.ClaimBatch(context.Background(), proto.U8, n, 5)
	if err != nil {
		return "", err
	}
	for i := range b.Len() {
		stamp(b.Payload(i), h.written+uint64(i))
	}
	h.commit, h.abort = func() { b.Commit(); h.written += uint64(b.Len()) }, b.Abort
	return fmt.Sprint(b.Len()), nil
}

// richHeader says everything that a header can say.
func richHeader() proto.Header {
	return proto.Header{
		DType: proto.F32, NDim: 3, Shape: [proto.MaxDims]uint64{2, 3, 4}, Strides: [proto.MaxDims]int64{4, 8, 24},
		ExtFlags: proto.ExtShape | proto.ExtStrides | proto.ExtStream | proto.ExtSource | proto.ExtTime,
		Role:     proto.RoleDelta, Sequence: 77, TimeNs: 123456789, Stream: 5, Source: 6400, SourceID: 99,
	}
}

func (h *hand) rich([]string) (string, error) {
	head := richHeader()
	c, err := h.w.ClaimFrame(context.Background(), &head)
	if err != nil {
		return "", err
	}
	stamp(c.Payload(), h.written)
	h.commit, h.abort = func() { c.Commit(); h.written++ }, c.Abort
	return h.finish(nil)
}

func (h *hand) finish([]string) (string, error) { h.commit(); return "", nil }

func (h *hand) drop([]string) (string, error) { h.abort(); return "", nil }

// put commits frames of n bytes, once or as often as the second word says.
func (h *hand) put(args []string) (string, error) {
	count := 1
	if len(args) > 1 {
		var err error
		if count, err = strconv.Atoi(args[1]); err != nil {
			return "", err
		}
	}
	for range count {
		if _, err := h.claim(args); err != nil {
			return "", err
		}
		h.commit()
	}
	return "", nil
}

// fill commits frames of n bytes until one is dropped and says how many there were.
func (h *hand) fill(args []string) (string, error) {
	for n := 0; ; n++ {
		_, err := h.claim(args)
		if errors.Is(err, ring.ErrDropped) {
			return strconv.Itoa(n), nil
		}
		if err != nil {
			return "", err
		}
		h.commit()
	}
}

// flow commits frames of n bytes until it is told to stop, and says how many there are.
func (h *hand) flow(args []string) (string, error) {
	for h.stop.Store(false); !h.stop.Load(); {
		if _, err := h.claim(args); err != nil {
			return "", err
		}
		h.commit()
	}
	return fmt.Sprint(h.written), nil
}

// blank commits a frame of n zeros.
func (h *hand) blank(args []string) (string, error) {
	if _, err := h.claim(args); err != nil {
		return "", err
	}
	clear(h.payload)
	h.commit()
	return "", nil
}

// poison commits a frame of n bytes, each line of which holds the commit word that will
// be due there when the ring has gone around once.
func (h *hand) poison(args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	at := h.w.store.segment.Tail()
	c, err := h.w.Claim(context.Background(), proto.U8, n)
	if err != nil {
		return "", err
	}
	capacity := h.w.Identity().Capacity
	if left := capacity - at&(capacity-1); uint64(n)+proto.BaseBytes > left {
		at += left
	}
	forge(c.Payload(), at+proto.BaseBytes+capacity)
	c.Commit()
	h.written++
	return "", nil
}

// forge writes a commit word to every line of b, whose first byte is at position.
func forge(b []byte, position uint64) {
	for i := proto.LineBytes - int(position%proto.LineBytes); i+8 <= len(b); i += proto.LineBytes {
		binary.LittleEndian.PutUint64(b[i:], (position+uint64(i))|uint64(proto.KindData))
	}
}

func (h *hand) close([]string) (string, error) {
	var err error
	switch {
	case h.w != nil:
		err = h.w.Close(context.Background())
	case h.r != nil:
		err = h.r.Close()
	case h.o != nil:
		err = h.o.Close()
	}
	h.w, h.r, h.o = nil, nil, nil
	return "", err
}

// die commits what is open and ends the process on the spot.
func (h *hand) die([]string) (string, error) {
	h.commit()
	return "", syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func (h *hand) dial(args []string) (string, error) {
	f, err := parseRole("dial", args)
	if err != nil {
		return "", err
	}
	f.dir = h.dir
	if h.r, err = f.dial(); err != nil {
		return "", err
	}
	return fmt.Sprint(h.r.Welcome().Start, h.r.Welcome().Slot), nil
}

func (h *hand) observe(args []string) (string, error) {
	var err error
	h.o, err = Observe(context.Background(), "x", ObserverConfig{Dir: h.dir})
	return "", err
}

// next takes the next frame, or goes on as often as the word says, and says the number
// of the last one and how many were lost before it.
func (h *hand) next(args []string) (string, error) {
	count := 1
	if len(args) > 0 {
		var err error
		if count, err = strconv.Atoi(args[0]); err != nil {
			return "", err
		}
	}
	next := h.r.Next
	if h.r == nil {
		next = h.o.Next
	}
	for range count {
		var err error
		if h.frame, err = next(context.Background()); err != nil {
			return "", err
		}
	}
	return fmt.Sprint(h.frame.Number(), h.frame.Lost()), nil
}

func (h *hand) release([]string) (string, error) { return "", h.r.Release() }

func (h *hand) valid([]string) (string, error) { return fmt.Sprint(h.frame.Valid()), nil }

// drip commits frames until it is told to stop, each at a moment at which its reader, which
// has given back the one before, is about to sleep. The payload is written just before
// the commit, which so has a queue of stores in front of it.
func (h *hand) drip([]string) (string, error) {
	const bytes = 1000
	end, cursor := h.w.store.segment.Tail(), h.w.store.tableMap.mem[proto.TableHeadBytes+proto.SlCursor:]
	payload := make([]byte, bytes)
	for h.stop.Store(false); ; {
		stamp(payload, h.written)
		c, err := h.w.Claim(context.Background(), proto.U8, bytes)
		if err != nil {
			return "", err
		}
		for binary.LittleEndian.Uint64(cursor) != end {
			if h.stop.Load() {
				return "", nil
			}
			runtime.Gosched()
		}
		h.loiter(100)
		copy(c.Payload(), payload)
		c.Commit()
		h.written++
		end += frameBytes(bytes) // a divisor of the capacity: there is no padding
	}
}

// sip gives frames of a line back until it is told to stop, each at a moment at which the
// writer, for which the ring is full, is about to sleep.
func (h *hand) sip([]string) (string, error) {
	id, mem := h.r.Identity(), h.r.session.segmentMap.mem
	for h.stop.Store(false); ; {
		f, err := h.r.Next(context.Background())
		if err != nil {
			return "", err
		}
		last := f.Position() + id.Capacity - 2*proto.LineBytes
		for binary.LittleEndian.Uint64(mem[id.DataOff+last&(id.Capacity-1):])&^proto.KindMask != last {
			if h.stop.Load() {
				return "", nil
			}
			runtime.Gosched()
		}
		h.loiter(600)
		if err := h.r.Release(); err != nil {
			return "", err
		}
	}
}

// loiter takes a random time, of the order of what it takes to go to sleep.
func (h *hand) loiter(most int) {
	for range rand.IntN(most) {
		h.idle.Add(1)
	}
}

// cpu says how many microseconds of processor time the process has had.
func (h *hand) cpu([]string) (string, error) {
	var used syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return fmt.Sprint(time.Duration(used.Utime.Nano() + used.Stime.Nano()).Microseconds()), err
}

// lend leaves the control socket to a child, which keeps it until the standard input
// that it shares ends.
func (h *hand) lend([]string) (string, error) {
	fd, err := syscall.Dup(h.r.session.control.sock.fd)
	if err != nil {
		return "", err
	}
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), roleVar+"=keeper")
	child.Stdin = os.Stdin
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), "control socket")}
	return "", child.Start()
}

// roleKeeper keeps what it inherited until nobody can write to its standard input.
func roleKeeper([]string) error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// stamp fills b with what only frame n holds.
func stamp(b []byte, n uint64) {
	for i := range b {
		b[i] = stampByte(n, i)
	}
}

func stampByte(n uint64, i int) byte { return byte(n*0x9e3779b97f4a7c15>>56) ^ byte(i*7) | 1 }

// stamped reports whether b is what stamp made of it for frame n.
func stamped(b []byte, n uint64) bool {
	for i := range b {
		if b[i] != stampByte(n, i) {
			return false
		}
	}
	return true
}

// handTime is how long a hand lives at most: who waits for one that hangs, or for what
// it should have done, then fails.
const handTime = time.Minute

// newHand starts a hand that works in dir.
func newHand(t testing.TB, dir string, env ...string) *process {
	t.Helper()
	p := prepare(t, "hand", dir)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.start()
	late := time.AfterFunc(handTime, func() { p.cmd.Process.Kill() })
	t.Cleanup(func() { late.Stop() })
	return p
}

// told starts a hand that works in dir and obeys the first line.
func told(t testing.TB, dir, line string) *process {
	t.Helper()
	p := newHand(t, dir)
	p.do(line)
	return p
}

// do has a hand obey a line and returns its answer.
func (p *process) do(line string) string {
	p.t.Helper()
	p.say(line)
	return p.done(line)
}

// done is the answer to line, which was said before.
func (p *process) done(line string) string {
	p.t.Helper()
	said, err := p.answer()
	if err != nil {
		p.t.Fatalf("%s: %v; stderr: %s", line, err, p.errs.String())
	}
	return said
}

// fails has a hand obey a line and demands that it fails for that reason.
func (p *process) fails(want error, line string) {
	p.t.Helper()
	p.say(line)
	if said, err := p.answer(); err == nil || !strings.Contains(err.Error(), want.Error()) {
		p.t.Errorf("%s: %q, error %v, want %v", line, said, err, want)
	}
}

func (p *process) answer() (string, error) {
	for p.lines.Scan() {
		line := p.lines.Text()
		if said, ok := strings.CutPrefix(line, "= "); ok {
			return said, nil
		}
		if said, ok := strings.CutPrefix(line, "! "); ok {
			return "", errors.New(said)
		}
	}
	return "", fmt.Errorf("the hand is gone")
}
