package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"time"

	"github.com/ndring/ndring/cmd/ndring/feed"
	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

func produceCommand() *cli.Command {
	flags := append(ringFlags(),
		&cli.StringFlag{Name: "source", Value: "linspace", Usage: "linspace, sine, random, npy:FILE or stdin (raw little-endian elements)"},
		&cli.StringFlag{Name: "shape", Value: "5", Usage: "extents of a frame, as in 3,224,224"},
		&cli.StringFlag{Name: "dtype", Value: "f64", Usage: "f64 f32 f16 i8…i64 u8…u64 bool c64 c128"},
		&cli.Uint64Flag{Name: "count", Usage: "end the ring after so many frames; 0: when the source ends, or at Ctrl-C"},
		&cli.Float64Flag{Name: "rate", Usage: "frames a second; 0: as fast as the readers take them"},
		&cli.IntFlag{Name: "period", Value: 1000, Usage: "elements in a period of the sine"},
		&cli.Uint64Flag{Name: "seed", Usage: "of the random numbers"},
		&cli.BoolFlag{Name: "stamp", Usage: "put the time into each frame"},
	)
	return &cli.Command{
		Name: "produce", Usage: "write frames to a ring", ArgsUsage: "RING", Flags: flags, Action: produce,
		Description: "Frames are computed, or read from a file or stdin, straight into the ring. A ring left\nby a producer that was killed is continued where it ended.",
	}
}

// ringFlags are the flags of every command that writes a ring.
func ringFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "capacity", Usage: "bytes of frames the ring holds, as in 256MiB; rounded up to a power of two (default: 64MiB, or what the largest frame needs)"},
		&cli.BoolFlag{Name: "free-run", Usage: "do not wait for a first reader"},
		&cli.StringFlag{Name: "policy", Value: "block", Usage: "when the ring is full: block, or drop the newest frame"},
		&cli.IntFlag{Name: "reader-slots", Value: proto.DefaultSlots, Usage: "readers the ring has room for at a time, observers not counted"},
		&cli.BoolFlag{Name: "recreate", Usage: "replace a left-over ring that differs or is corrupt"},
		spinFlag(), jsonFlag(), verboseFlag(),
	}
}

// writerConfig is what ringFlags say. Unless they name a capacity it is at least needed.
func writerConfig(c *cli.Context, needed uint64) (ipc.WriterConfig, error) {
	cfg := ipc.WriterConfig{
		Capacity: max(needed, ipc.DefaultCapacity), FreeRun: c.Bool("free-run"), Recreate: c.Bool("recreate"),
		Slots: c.Int("reader-slots"), Spin: spin(c), Logger: logger(c),
	}
	if cfg.Slots < 1 || cfg.Slots > proto.MaxReaderSlots {
		return cfg, usagef("--reader-slots %d; a ring has 1 to %d", cfg.Slots, proto.MaxReaderSlots)
	}
	switch policy := c.String("policy"); policy {
	case "block":
	case "drop":
		cfg.Policy = proto.PolicyDropNewest
	default:
		return cfg, usagef("policy %q; use block or drop", policy)
	}
	if !c.IsSet("capacity") {
		return cfg, nil
	}
	capacity, err := quantity.ParseBytes(c.String("capacity"))
	if err != nil {
		return cfg, usageError{err}
	}
	if capacity == 0 || capacity > proto.MaxCapacityBytes {
		return cfg, usagef("capacity %q; a ring holds %s to %s", c.String("capacity"), quantity.Bytes(proto.MinCapacityBytes), quantity.Bytes(proto.MaxCapacityBytes))
	}
	cfg.Capacity = rounded(capacity)
	return cfg, nil
}

// rounded is the capacity of a ring made to hold at least n bytes, n above 0.
func rounded(n uint64) uint64 {
	return max(proto.MinCapacityBytes, uint64(1)<<bits.Len64(n-1))
}

func produce(c *cli.Context) error {
	name, err := ringName(c)
	if err != nil {
		return err
	}
	if rate := c.Float64("rate"); rate < 0 || math.IsNaN(rate) || math.IsInf(rate, 0) {
		return usagef("rate %v; give frames a second, 0 for no limit", rate)
	}
	f, err := openFeed(c)
	if err != nil {
		return stopped(c, err)
	}
	cfg, err := producerConfig(c, f)
	if err != nil {
		return err
	}
	w, err := openRing(c, name, cfg)
	if err != nil {
		return stopped(c, err)
	}
	p := newProducer(c, w, f)
	err = p.run(c.Context)
	p.progress.stop()
	err = errors.Join(err, closeRing(c, w))
	return p.report(c, err)
}

func openFeed(c *cli.Context) (feed.Feed, error) {
	shape, err := quantity.ParseShape(c.String("shape"))
	if err != nil {
		return nil, usageError{err}
	}
	dt, err := proto.ParseDType(c.String("dtype"))
	if err != nil {
		return nil, usageError{err}
	}
	f, err := feed.Open(c.Context, feed.Options{
		Spec: c.String("source"), DType: dt, Shape: shape, Period: c.Int("period"), Seed: c.Uint64("seed"), Stdin: c.App.Reader,
	})
	if errors.Is(err, feed.ErrSource) || errors.Is(err, proto.ErrShape) || errors.Is(err, provenance.ErrUnknown) {
		return nil, usageError{err}
	}
	return f, err
}

// producerConfig declares what the feed sends and makes the ring large enough.
func producerConfig(c *cli.Context, f feed.Feed) (ipc.WriterConfig, error) {
	payload := uint64(f.DType().Size())
	schema := proto.Schema{DType: f.DType(), NDim: uint8(len(f.Shape()))}
	for i, n := range f.Shape() {
		schema.Shape[i] = uint64(n)
		payload *= uint64(n)
	}
	cfg, err := writerConfig(c, payload*proto.PayloadDivisor)
	if err != nil {
		return cfg, err
	}
	if payload > cfg.Capacity/proto.PayloadDivisor {
		return cfg, usagef("a frame of %d bytes needs a ring of at least %s, --capacity is %s", payload, quantity.Bytes(rounded(payload*proto.PayloadDivisor)), c.String("capacity"))
	}
	cfg.Schema = schema
	cfg.Meta, err = provenance.Provenance{Source: f.Source()}.Encode()
	return cfg, err
}

// producer moves frames of a feed into a ring.
type producer struct {
	w        *ipc.Writer
	feed     feed.Feed
	head     proto.Header
	stamp    bool
	next     uint64 // number of the next frame
	count    uint64 // end there; 0 = never
	dropped  uint64
	pace     pace
	progress *progress
}

func newProducer(c *cli.Context, w *ipc.Writer, f feed.Feed) *producer {
	p := &producer{
		w: w, feed: f, next: w.State().Number, count: c.Uint64("count"), stamp: c.Bool("stamp"),
		pace: newPace(c.Float64("rate")),
	}
	p.head = proto.Header{DType: f.DType(), NDim: uint8(len(f.Shape()))}
	for i, n := range f.Shape() {
		p.head.Shape[i] = uint64(n)
	}
	if p.stamp {
		p.head.ExtFlags = proto.ExtTime
	}
	if p.next > 0 {
		say(c, "%s: continued at frame %d", w.Name(), p.next)
	}
	p.progress = startProgress(c, p.count, func() string { return blockedNote(w) })
	return p
}

// run writes frames until the count is reached, the source ends, or ctx does; the
// last gives the error of ctx, and so is a source that ends before the count an error.
func (p *producer) run(ctx context.Context) error {
	for p.count == 0 || p.next+p.dropped < p.count {
		if err := ctx.Err(); err != nil { // a claim that finds room does not look
			return err
		}
		if err := p.pace.wait(ctx); err != nil {
			return err
		}
		err := p.frame(ctx)
		if errors.Is(err, io.EOF) && p.count > 0 {
			return fmt.Errorf("the source ended after %d of %d frames; send more, or lower --count", p.next+p.dropped, p.count)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// frame writes one frame, or drops it.
func (p *producer) frame(ctx context.Context) error {
	if p.stamp {
		p.head.TimeNs = uint64(time.Now().UnixNano())
	}
	claim, err := p.w.ClaimFrame(ctx, &p.head)
	if errors.Is(err, ring.ErrDropped) {
		p.dropped++
		return p.feed.Drop()
	}
	if err != nil {
		return err
	}
	a, err := claim.Array()
	if err == nil {
		err = p.feed.Fill(a, p.next)
	}
	if err != nil {
		claim.Abort()
		return err
	}
	claim.Commit()
	p.next++
	p.progress.add(len(claim.Payload()))
	return nil
}

func (p *producer) report(c *cli.Context, err error) error {
	stopped := errors.Is(err, context.Canceled)
	if c.Bool("json") {
		if err := printJSON(c, struct {
			totals
			Dropped uint64 `json:"dropped"`
		}{p.progress.totals(p.w.Name()), p.dropped}); err != nil {
			return err
		}
	}
	dropped := ""
	if p.dropped > 0 {
		dropped = fmt.Sprintf(", %d dropped", p.dropped)
	}
	say(c, "%s: %s%s", p.w.Name(), p.progress.summary(), dropped)
	if !stopped {
		return err
	}
	if n := p.feed.Pending(); n > 0 {
		say(c, "%s: interrupted with %d bytes of stdin that are in no frame; they are dropped", p.w.Name(), n)
	}
	if p.count > 0 {
		return interrupted(p.next+p.dropped, p.count, "frames")
	}
	return nil
}

// blockedNote says for whom the writer waits.
func blockedNote(w *ipc.Writer) string {
	b, ok := w.Blocked()
	if !ok {
		return ""
	}
	if b.FirstReader {
		return "waiting for a first reader"
	}
	return "blocked by " + readerName(b.Reader.Name, b.Reader.PID)
}

func readerName(name string, pid uint32) string {
	if name == "" {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("%s (pid %d)", name, pid)
}
