package command

import (
	"fmt"

	"github.com/ndring/ndring/cmd/ndring/tour"
	"github.com/urfave/cli/v2"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "the five-minute tour: three processes, two rings, a bridge", Action: demo,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Value: 500_000, Usage: "frames through producer, stage and consumer"},
			&cli.IntFlag{Name: "chunks", Value: 20_000, Usage: "chunks over TCP"},
		},
	}
}

func demo(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("demo: unexpected %q; it names its rings itself", c.Args().First())
	}
	o := tour.Options{Frames: c.Int("count"), Chunks: c.Int("chunks"), Out: c.App.Writer}
	if o.Frames < 1 || o.Chunks < 1 {
		return usagef("--count and --chunks take numbers from 1 up")
	}
	if isTerminal(c.App.ErrWriter) {
		o.Live = c.App.ErrWriter
	}
	if err := tour.Run(c.Context, o); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.App.Writer, "\nndring works on this machine.")
	return err
}
