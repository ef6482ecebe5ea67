//go:build linux

package ipc

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/ndring/ndring/proto"
)

// roles are what a re-executed test binary can be.
var roles = map[string]func([]string) error{
	"write": roleWrite,
	"read":  roleRead,
	"drain": roleDrain,
	"echo":  roleEcho,
	"lock":  roleLock,

	"hand":   roleHand,
	"keeper": roleKeeper,

	"collector": roleCollector,

	"victim": roleVictim,

	"scarce":  roleScarce,
	"nospace": roleNoSpace,
	"cgroup":  roleControlGroup,
	"endure":  roleEndure,
	"startup": roleStartUp,
	"foreign": roleForeign,
	"hold":    roleHold,
	"busy":    roleBusy,
	"mourn":   roleMourn,
	"memlock": roleMemlock,
	"dump":    roleDump,
}

type roleFlags struct {
	*flag.FlagSet
	ctx       context.Context
	dir, ring string
	count     int
	elements  int
	capacity  uint64
	wake      string
	reader    string
	keep      time.Duration
	evict     time.Duration
	stopAfter int
	noClose   bool
	verbose   bool
	restart   time.Duration
	spin      time.Duration
	delay     time.Duration
	wait      bool
	from      string
	zero      bool
	huge      bool
	plain     bool
}

func parseRole(name string, args []string) (*roleFlags, error) {
	f := &roleFlags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), ctx: context.Background()}
	f.StringVar(&f.dir, "dir", "", "")
	f.StringVar(&f.ring, "ring", "x", "")
	f.IntVar(&f.count, "count", 0, "")
	f.IntVar(&f.elements, "elements", 5, "")
	f.Uint64Var(&f.capacity, "capacity", 1<<20, "")
	f.StringVar(&f.wake, "wake", "park", "")
	f.StringVar(&f.reader, "name", "", "")
	f.DurationVar(&f.keep, "keep", 0, "")
	f.DurationVar(&f.evict, "evict", 0, "")
	f.DurationVar(&f.restart, "restart", 0, "")
	f.DurationVar(&f.spin, "spin", 0, "")
	f.DurationVar(&f.delay, "delay", 0, "")
	f.IntVar(&f.stopAfter, "stop-after", -1, "")
	f.BoolVar(&f.noClose, "no-close", false, "")
	f.BoolVar(&f.wait, "wait", false, "")
	f.StringVar(&f.from, "from", "", "")
	f.BoolVar(&f.zero, "zero", false, "")
	f.BoolVar(&f.huge, "huge", false, "")
	f.BoolVar(&f.plain, "plain", false, "")
	f.BoolVar(&f.verbose, "v", false, "")
	return f, f.Parse(args)
}

func (f *roleFlags) logger() *slog.Logger {
	if !f.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// dial attaches the reader that the flags describe.
func (f *roleFlags) dial() (*Reader, error) {
	cfg := ReaderConfig{
		Dir: f.dir, Name: f.reader, Keep: f.keep, EvictAfter: f.evict, RestartWait: f.restart,
		Logger: f.logger(), Spin: f.spin, Memory: Memory{Huge: f.huge},
	}
	if f.wake == "stream" {
		cfg.Wake = proto.WakeStream
	}
	if f.from == "latest" {
		cfg.Start = proto.StartLatest
	}
	if f.plain {
		return f.dialPlain(cfg)
	}
	return Dial(f.ctx, f.ring, cfg)
}

// dialPlain is Dial by a process that knows nothing of membarrier.
func (f *roleFlags) dialPlain(cfg ReaderConfig) (*Reader, error) {
	hello, err := cfg.hello()
	if err != nil {
		return nil, err
	}
	hello.Flags = 0
	r := &Reader{client: client{dir: cfg.Dir, name: f.ring, log: loggerOr(nil)}, hello: hello, spin: spinOf(cfg.Spin)}
	if r.session, err = r.client.connect(f.ctx, &r.hello, endless); err != nil {
		return nil, err
	}
	r.first = r.session.welcome
	return r, r.begin()
}

// valueOf is element i of frame n.
func valueOf(n uint64, i int) float64 { return float64(n)*7 + float64(i) }

// roleWrite writes frames numbered on from what is committed, until there are
// count, and ends the ring. With -no-close it stops after that and waits to be
// killed.
func roleWrite(args []string) error {
	f, err := parseRole("write", args)
	if err != nil {
		return err
	}
	ctx := context.Background()
	w, err := Listen(ctx, f.ring, WriterConfig{Dir: f.dir, Capacity: f.capacity, Logger: f.logger(), Spin: f.spin})
	if err != nil {
		return err
	}
	first := w.State().Number
	fmt.Println("listening", first, w.Epoch())
	if f.wait {
		bufio.NewScanner(os.Stdin).Scan()
	}
	for n := first; n < uint64(f.count); n++ {
		c, err := w.Claim(ctx, proto.F64, f.elements)
		if err != nil {
			return err
		}
		v := c.Float64s()
		for i := range v {
			v[i] = valueOf(n, i)
		}
		c.Commit()
	}
	fmt.Println("written", f.count)
	if f.noClose {
		select {}
	}
	return w.Close(ctx)
}

// roleRead reads to the end of the ring and checks number and values of every
// frame. With -stop-after it holds that many frames' successor and waits to be
// killed.
func roleRead(args []string) error {
	f, err := parseRole("read", args)
	if err != nil {
		return err
	}
	ctx := f.ctx
	r, err := f.dial()
	if err != nil {
		return err
	}
	fmt.Println("attached", r.Welcome().Start)
	if f.stopAfter == 0 {
		bufio.NewScanner(os.Stdin).Scan()
	}
	var next uint64
	resumed := r.Welcome().Flags&proto.WelcomeResumed != 0
	for frame, err := range r.Frames(ctx) {
		if f.zero && errors.Is(err, ErrEvicted) {
			fmt.Println("failed evicted")
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d frames: %w", next, err)
		}
		if resumed {
			next, resumed = frame.Number(), false
			fmt.Println("resumed", next)
		}
		if f.zero && frame.Number() != next {
			return fmt.Errorf("frame %d came, want %d", frame.Number(), next)
		}
		if err := checkFrame(frame.Number(), next, frame.Float64s(), f.elements); err != nil && !f.zero {
			return err
		}
		next++
		if int(next) == f.stopAfter {
			fmt.Println("stopped", next)
			bufio.NewScanner(os.Stdin).Scan()
		}
		if f.delay > 0 {
			time.Sleep(f.delay)
		}
	}
	fmt.Println("read", next, r.ControlBytes(), r.Rescues(), r.Epoch())
	return r.Close()
}

func checkFrame(number, want uint64, values []float64, elements int) error {
	if number != want {
		return fmt.Errorf("frame %d came, want %d", number, want)
	}
	if len(values) != elements {
		return fmt.Errorf("frame %d has %d elements, want %d", number, len(values), elements)
	}
	for i, v := range values {
		if v != valueOf(number, i) {
			return fmt.Errorf("frame %d element %d is %v, want %v", number, i, v, valueOf(number, i))
		}
	}
	return nil
}
