package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

func consumeCommand() *cli.Command {
	flags := append(placeFlags(), spinFlag(),
		&cli.StringFlag{Name: "from", Value: "oldest", Usage: "begin at the oldest or at the latest frame"},
		&cli.Uint64Flag{Name: "count", Usage: "stop after so many frames; fewer are a failure"},
		&cli.BoolFlag{Name: "verify", Usage: "recompute every value from the frame's number and the ring's metadata"},
		&cli.IntFlag{Name: "print", Usage: "print the first N frames (default: all with --format, none without)"},
		&cli.StringFlag{Name: "format", Value: render.Text, Usage: "text, json or npy"},
		&cli.IntFlag{Name: "values", Value: render.PreviewValues, Usage: "values in a line of text"},
		&cli.BoolFlag{Name: "lossy", Usage: "never hold the writer up; miss frames instead and count them"},
		&cli.DurationFlag{Name: "evict-after", Usage: "let the writer go on without this reader once it held the full ring so long"},
		jsonFlag(), verboseFlag(),
	)
	return &cli.Command{
		Name: "consume", Usage: "read the frames of a ring", ArgsUsage: "RING", Flags: flags, Action: consume,
	}
}

// readerConfig is what the flags say of the reader.
func readerConfig(c *cli.Context) (ipc.ReaderConfig, error) {
	cfg, err := place(c)
	if err != nil {
		return cfg, err
	}
	cfg.EvictAfter = c.Duration("evict-after")
	switch from := c.String("from"); from {
	case "oldest":
	case "latest":
		cfg.Start = proto.StartLatest
	default:
		return cfg, usagef("--from %q; use oldest or latest", from)
	}
	return cfg, nil
}

// frames is a lossless or lossy reader.
type frames interface {
	ring.Region
	Next(context.Context) (*ring.Frame, error)
	Release() error
	Identity() *proto.Identity
	Close() error
}

var _ frames = (*ipc.Reader)(nil)

// lossy makes an observer, which holds copies, a reader of frames.
type lossy struct{ *ipc.Observer }

func (lossy) Release() error { return nil }

func openFrames(c *cli.Context, name string) (frames, error) {
	cfg, err := readerConfig(c)
	if err != nil {
		return nil, err
	}
	if !c.Bool("lossy") {
		return dial(c, name, cfg)
	}
	if cfg.Name != "" || cfg.EvictAfter != 0 {
		return nil, usagef("--lossy has no place in the ring: --name, --keep and --evict-after do not go with it")
	}
	o, err := ipc.Observe(c.Context, name, ipc.ObserverConfig{Start: cfg.Start, OnWait: cfg.OnWait, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return lossy{o}, nil
}

// dial attaches to a ring. It returns no typed nil.
func dial(c *cli.Context, name string, cfg ipc.ReaderConfig) (frames, error) {
	r, err := attach(c, name, cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Start == proto.StartOldest && r.Welcome().Flags&proto.WelcomeNewer != 0 {
		say(c, "%s: earlier frames are gone, beginning with what the ring still holds", name)
	}
	return r, nil
}

func consume(c *cli.Context) error {
	name, err := ringName(c)
	if err != nil {
		return err
	}
	consumer, err := newConsumer(c, name)
	if err != nil {
		return err
	}
	if c.Bool("verify") {
		id, err := peek(c, name)
		if err != nil {
			return stopped(c, err)
		}
		if err := consumer.verifyBy(&id); err != nil {
			return err
		}
	}
	if consumer.from, err = openFrames(c, name); err != nil {
		return stopped(c, err)
	}
	defer consumer.from.Close()
	return consumer.consume(c)
}

// verifyBy prepares to verify frames by a ring's metadata.
func (s *consumer) verifyBy(id *proto.Identity) error {
	p, err := provenance.Parse(id.Meta)
	if err == nil {
		s.audit, err = provenance.NewAudit(p, s.lossy)
	}
	if err != nil {
		return fmt.Errorf("verify ring %s: %w", s.name, err)
	}
	return nil
}

// stopped is err, or nil when a signal ended what the command waited for.
func stopped(c *cli.Context, err error) error {
	if c.Context.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	if count := c.Uint64("count"); count > 0 {
		return interrupted(0, count, "frames")
	}
	say(c, "interrupted")
	return nil
}

// consumer reads, prints and verifies the frames of a ring.
type consumer struct {
	name     string
	from     frames
	count    uint64 // stop there; 0 = at the end of the ring
	print    uint64
	printer  *render.Printer
	out      *bufio.Writer
	terminal bool
	lossy    bool
	audit    *provenance.Audit // nil unless verifying
	lost     uint64
	progress *progress
}

func newConsumer(c *cli.Context, name string) (*consumer, error) {
	out := bufio.NewWriterSize(c.App.Writer, 1<<16)
	printer, err := render.New(out, c.String("format"), c.Int("values"))
	if err != nil {
		return nil, usageError{err}
	}
	s := &consumer{name: name, count: c.Uint64("count"), printer: printer, out: out, terminal: isTerminal(c.App.Writer), lossy: c.Bool("lossy")}
	switch n := c.Int("print"); {
	case n < 0 || c.Int("values") < 0:
		return nil, usagef("--print and --values take numbers from 0 up")
	case c.IsSet("print"):
		s.print = uint64(n)
	case c.IsSet("format"):
		s.print = ^uint64(0)
	}
	if c.Bool("json") && s.print > 0 {
		return nil, usagef("--json prints the summary to stdout; to print frames as JSON use --format json alone")
	}
	return s, nil
}

func (s *consumer) consume(c *cli.Context) error {
	if s.audit != nil { // the ring may be another one by now
		if err := s.verifyBy(s.from.Identity()); err != nil {
			return err
		}
	}
	s.progress = startProgress(c, s.count, nil)
	err := ipc.Guard(func() error { return s.run(c.Context) }, s.from)
	s.progress.stop()
	if flushErr := s.out.Flush(); err == nil || errors.Is(err, io.EOF) {
		err = errors.Join(flushErr, s.atEnd(err))
	}
	return s.report(c, err)
}

// run handles frames until the count is reached; at the end of the ring it returns
// io.EOF.
func (s *consumer) run(ctx context.Context) error {
	for s.count == 0 || s.progress.frames.Load() < s.count {
		if err := ctx.Err(); err != nil { // Next does not look while there are frames
			return err
		}
		f, err := s.from.Next(ctx)
		if err != nil {
			return err
		}
		if err := s.frame(f); err != nil {
			return err
		}
		if err := s.from.Release(); err != nil {
			return err
		}
	}
	return nil
}

func (s *consumer) frame(f *ring.Frame) error {
	s.lost += f.Lost()
	if s.audit != nil {
		if err := s.verify(f); err != nil {
			return err
		}
	}
	if s.progress.frames.Load() < s.print {
		if err := s.show(f); err != nil {
			return err
		}
	}
	if f.Kind() == proto.KindData {
		s.progress.add(len(f.Payload()))
	}
	return nil
}

func (s *consumer) verify(f *ring.Frame) error {
	h := f.Header()
	a, err := f.Array()
	if err != nil {
		return err
	}
	return s.audit.Frame(&h, a)
}

// show prints a frame, at once where somebody watches.
func (s *consumer) show(f *ring.Frame) error {
	if err := s.printer.Frame(f); err != nil {
		return err
	}
	if s.terminal {
		return s.out.Flush()
	}
	return nil
}

// atEnd judges a ring that was read to its end, or to the count.
func (s *consumer) atEnd(err error) error {
	if err == nil {
		return nil
	}
	if got := s.progress.frames.Load(); got < s.count {
		return fmt.Errorf("ring %s ended after %d of %d frames", s.name, got, s.count)
	}
	if s.audit != nil {
		return s.audit.Close()
	}
	return nil
}

// summary is what came of it, for machines.
type summary struct {
	totals
	Lost     uint64    `json:"lost"`
	Verified *verified `json:"verified,omitempty"`
	Error    string    `json:"error,omitempty"`
}

type verified struct {
	Primary uint64 `json:"primary"`
	Delta   uint64 `json:"delta"`
	Rounded uint64 `json:"rounded_values"`
}

func (s *consumer) report(c *cli.Context, err error) error {
	if s.lost > 0 {
		say(c, "%s: %d frames missed", s.name, s.lost)
	}
	say(c, "%s: %s", s.name, s.progress.summary())
	sum := summary{totals: s.progress.totals(s.name), Lost: s.lost}
	if a := s.audit; a != nil {
		say(c, "%s: verified %d PRIMARY, %d DELTA", s.name, a.Primary, a.Delta)
		if a.Rounded > 0 {
			say(c, "%s: %d values of DELTA are rounded: no float64 holds their difference", s.name, a.Rounded)
		}
		sum.Verified = &verified{a.Primary, a.Delta, a.Rounded}
	}
	if c.Context.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
		if s.count > 0 {
			err = interrupted(s.progress.frames.Load(), s.count, "frames")
		}
	}
	if c.Bool("json") {
		if err != nil {
			sum.Error = err.Error()
		}
		return errors.Join(err, printJSON(c, sum))
	}
	return err
}
