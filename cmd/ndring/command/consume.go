package command

import (
	"context"
	"errors"

	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

func consumeCommand() *cli.Command {
	flags := append(placeFlags(), spinFlag(), inFlag(),
		&cli.StringFlag{Name: "from", Value: "oldest", Usage: "begin at the oldest or at the latest frame"},
		&cli.Uint64Flag{Name: "count", Usage: "stop after so many frames, of all rings together; fewer are a failure"},
		&cli.BoolFlag{Name: "verify", Usage: "recompute every value from the frame's number and the ring's metadata"},
		&cli.IntFlag{Name: "print", Usage: "print the first N frames (default: all with --format, none without)"},
		&cli.StringFlag{Name: "format", Value: render.Text, Usage: "text, json or npy"},
		&cli.IntFlag{Name: "values", Value: render.PreviewValues, Usage: "values in a line of text"},
		&cli.BoolFlag{Name: "lossy", Usage: "never hold the writer up; miss frames instead and count them"},
		&cli.DurationFlag{Name: "evict-after", Usage: "let the writer go on without this reader once it held the full ring so long"},
		jsonFlag(), verboseFlag(),
	)
	return &cli.Command{
		Name: "consume", Usage: "read the frames of rings", ArgsUsage: "RING [RING…]", Flags: flags, Action: consume,
		Description: "Several rings are read at the same time: 'ndring consume a b', 'ndring consume a,b' or\n'ndring consume \"cam*\"', which takes the rings that match at the start and waits for one.\nWhat is printed then names the ring. A ring that ends leaves the others going; one that\nfails ends them all.",
	}
}

func consume(c *cli.Context) error {
	list, err := consumed(c)
	if err != nil {
		return err
	}
	g, err := newGathering(c, len(list) > 1 || isPattern(list[0]))
	if err != nil {
		return err
	}
	names, err := resolve(c, list, "", waitingFor(c))
	if err != nil {
		return stopped(c, err)
	}
	for _, name := range names {
		g.add(name)
	}
	return g.run(c)
}

// consumed are the rings and patterns that are to be read: the arguments, and --in.
func consumed(c *cli.Context) ([]string, error) {
	lists := c.Args().Slice()
	if c.IsSet("in") {
		lists = append(lists, c.String("in"))
	}
	if len(lists) == 0 {
		return nil, usagef("consume: name the ring, as in 'ndring consume x'")
	}
	return ringList(lists...)
}

// readingOf is what the flags say of how rings are read.
func readingOf(c *cli.Context) (reading, error) {
	cfg, err := place(c)
	r := reading{cfg: cfg, lossy: c.Bool("lossy"), verify: c.Bool("verify")}
	if err != nil {
		return r, err
	}
	r.cfg.EvictAfter = c.Duration("evict-after")
	switch from := c.String("from"); from {
	case "oldest":
	case "latest":
		r.cfg.Start = proto.StartLatest
	default:
		return r, usagef("--from %q; use oldest or latest", from)
	}
	if r.lossy && (r.cfg.Name != "" || r.cfg.EvictAfter != 0) {
		return r, usagef("--lossy has no place in the ring: --name, --keep and --evict-after do not go with it")
	}
	return r, nil
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

// open waits for a ring. It returns no typed nil.
func (r *reading) open(c *cli.Context, name string) (frames, error) {
	if !r.lossy {
		return r.dial(c, name)
	}
	o, err := ipc.Observe(c.Context, name, ipc.ObserverConfig{Start: r.cfg.Start, OnWait: r.cfg.OnWait, Logger: r.cfg.Logger})
	if err != nil {
		return nil, err
	}
	return lossy{o}, nil
}

func (r *reading) dial(c *cli.Context, name string) (frames, error) {
	from, err := attach(c, name, r.cfg)
	if err != nil {
		return nil, err
	}
	if r.cfg.Start == proto.StartOldest && from.Welcome().Flags&proto.WelcomeNewer != 0 {
		say(c, "%s: earlier frames are gone, beginning with what the ring still holds", name)
	}
	return from, nil
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
