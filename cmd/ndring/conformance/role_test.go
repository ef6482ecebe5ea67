//go:build linux

package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// options is the command line of both roles.
type options struct {
	ring                        string
	dir, dtype, shape, order    string
	wake, name                  string
	until, killAt, capacity     uint64
	pause, close, keep, restart int // ms
	dieAtEnd, noWait            bool
}

func parseOptions(arguments []string) (options, error) {
	o := options{}
	if len(arguments) == 0 {
		return o, errors.New("no ring named")
	}
	o.ring = arguments[0]
	set := flag.NewFlagSet("role", flag.ContinueOnError)
	set.StringVar(&o.dir, "dir", "", "")
	set.StringVar(&o.dtype, "dtype", "f64", "")
	set.StringVar(&o.shape, "shape", "5", "")
	set.StringVar(&o.order, "order", "c", "")
	set.StringVar(&o.wake, "wake", "park", "")
	set.StringVar(&o.name, "name", "", "")
	set.Uint64Var(&o.until, "until", 1000, "")
	set.Uint64Var(&o.killAt, "kill-at", math.MaxUint64, "")
	set.Uint64Var(&o.capacity, "capacity", 0, "")
	set.IntVar(&o.pause, "pause-ms", 0, "")
	set.IntVar(&o.close, "close-ms", -1, "")
	set.IntVar(&o.keep, "keep-ms", 0, "")
	set.IntVar(&o.restart, "restart-ms", 5000, "")
	set.BoolVar(&o.dieAtEnd, "die-at-end", false, "")
	set.BoolVar(&o.noWait, "no-wait", false, "")
	return o, set.Parse(arguments[1:])
}

// header describes the frames of a run.
func (o *options) header() (proto.Header, error) {
	dt, err := proto.ParseDType(o.dtype)
	if err != nil {
		return proto.Header{}, err
	}
	h := proto.Header{DType: dt}
	if o.shape != "scalar" {
		for _, text := range strings.Split(o.shape, "x") {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return h, err
			}
			h.Shape[h.NDim] = n
			h.NDim++
		}
	}
	if o.order == "f" {
		h.ExtFlags = proto.ExtStrides
		step := int64(dt.Size())
		for i := range h.NDim {
			h.Strides[i] = step
			step *= int64(max(1, h.Shape[i]))
		}
	}
	return h, nil
}

// pattern fills b with what the payload of frame n holds.
func pattern(b []byte, n uint64) {
	for i := range b {
		b[i] = byte(n*131 + uint64(i)*7 + uint64(i>>8)*13)
	}
}

func die() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL) }

// produce is the producer in Go.
func produce(o options) error {
	h, err := o.header()
	if err != nil {
		return err
	}
	ctx := context.Background()
	w, err := ipc.Listen(ctx, o.ring, ipc.WriterConfig{Dir: o.dir, Capacity: o.capacity})
	if err != nil {
		return err
	}
	for n := w.State().Number; n < o.until; n++ {
		c, err := w.ClaimFrame(ctx, &h)
		if err != nil {
			return errors.Join(err, w.Close(ctx))
		}
		if n == o.killAt {
			pattern(c.Payload()[:len(c.Payload())/2], n)
			die()
		}
		pattern(c.Payload(), n)
		c.Commit()
		if o.pause > 0 {
			time.Sleep(time.Duration(o.pause) * time.Millisecond)
		}
	}
	if o.close >= 0 {
		limited, cancel := context.WithTimeout(ctx, time.Duration(o.close)*time.Millisecond)
		defer cancel()
		ctx = limited
	}
	return w.Close(ctx)
}

// tally is what a consumer read.
type tally struct {
	frames, bytes, first, next, gaps, torn, checksum uint64
	last                                             proto.Header
	expected                                         []byte
}

func (t *tally) count(f *ring.Frame) {
	h, payload := f.Header(), f.Payload()
	if t.frames == 0 {
		t.first = h.Number
	} else if h.Number != t.next {
		t.gaps++
	}
	if len(t.expected) != len(payload) {
		t.expected = make([]byte, len(payload))
	}
	pattern(t.expected, h.Number)
	if string(t.expected) != string(payload) {
		t.torn++
	}
	t.checksum = t.checksum*31 + uint64(crc32.ChecksumIEEE(payload))
	t.next, t.last = h.Number+1, h
	t.frames++
	t.bytes += uint64(len(payload))
}

// line is what a consumer prints, without rescues.
func (t *tally) line() string {
	shape, strides := "scalar", "scalar"
	if t.last.NDim > 0 {
		shape = extents(t.last.Shape[:t.last.NDim])
		strides = extents(t.last.Strides[:t.last.NDim])
	}
	return fmt.Sprintf("frames=%d bytes=%d first=%d gaps=%d torn=%d checksum=%016x dtype=%v shape=%s strides=%s",
		t.frames, t.bytes, t.first, t.gaps, t.torn, t.checksum, t.last.DType, shape, strides)
}

func extents[T uint64 | int64](ns []T) string {
	var texts []string
	for _, n := range ns {
		texts = append(texts, fmt.Sprint(n))
	}
	return strings.Join(texts, "x")
}

// consume is the consumer in Go.
func consume(o options) error {
	var t tally
	ctx := context.Background()
	wake := proto.WakePark
	if o.wake == "stream" {
		wake = proto.WakeStream
	}
	r, err := ipc.Dial(ctx, o.ring, ipc.ReaderConfig{
		Dir: o.dir, Name: o.name, Wake: wake, Keep: time.Duration(o.keep) * time.Millisecond,
		RestartWait: time.Duration(o.restart) * time.Millisecond, NoWait: o.noWait,
	})
	if err != nil {
		return err
	}
	var f *ring.Frame
	for {
		if f, err = r.Next(ctx); err != nil {
			break
		}
		if f.Number() == o.killAt {
			die()
		}
		t.count(f)
	}
	fmt.Printf("%s rescues=%d\n", t.line(), r.Rescues())
	if o.dieAtEnd && errors.Is(err, io.EOF) {
		die()
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, r.Close())
}
