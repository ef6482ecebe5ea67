package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ndring/ndring/cmd/ndring/inspection"
	"github.com/ndring/ndring/ipc"
	"github.com/urfave/cli/v2"
)

// Exit codes of inspect --check, besides those of every command.
const (
	exitDead    = 3
	exitBlocked = 4
	exitStopped = 5
	exitUnsound = 6
)

// watchInterval is the time between two reports of inspect --watch.
const watchInterval = time.Second

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name: "inspect", Usage: "look at a ring, alive or dead, without touching it", ArgsUsage: "RING", Action: inspect,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "frames", Value: 5, Usage: "show the last N frames"},
			&cli.IntFlag{Name: "values", Value: 5, Usage: "show the first N values of each"},
			&cli.BoolFlag{Name: "watch", Usage: "repeat every second until Ctrl-C or the ring is gone"},
			&cli.DurationFlag{Name: "interval", Value: 200 * time.Millisecond, Usage: "between the two looks that give the rate; 0: no second look"},
			&cli.Uint64Flag{Name: "npy", Usage: "write frame N to stdout as .npy and nothing else"},
			&cli.BoolFlag{Name: "check", Usage: "hold the ring against every rule of the layout; exit with 6 if one is broken, 3 if the writer is dead, 4 if it is blocked, 5 if it is suspended"},
			jsonFlag(),
		},
		Description: "Exit code 0 says that the ring could be read, 1 that it could not or is corrupt.",
	}
}

// checkError carries an exit code of inspect --check.
type checkError struct {
	code     int
	sentence string
}

func (e checkError) Error() string { return e.sentence }

func inspect(c *cli.Context) error {
	name, err := ringName(c)
	if err != nil {
		return err
	}
	o := inspection.Options{Frames: c.Int("frames"), Values: c.Int("values"), Interval: c.Duration("interval"), Audit: c.Bool("check")}
	if o.Frames < 0 || o.Values < 0 {
		return usagef("--frames and --values take numbers from 0 up")
	}
	if c.IsSet("npy") {
		return exportFrame(c, name)
	}
	if c.Bool("watch") {
		return watch(c, name, o)
	}
	r, err := inspection.Inspect(c.Context, name, o)
	if err != nil {
		return stopped(c, err)
	}
	if err := printReport(c, r); err != nil {
		return err
	}
	return judge(c, r)
}

func printReport(c *cli.Context, r *inspection.Report) error {
	if c.Bool("json") {
		return printJSON(c, r)
	}
	return r.Text(c.App.Writer, time.Now())
}

// judge turns a verdict into an error where the exit code has to tell it.
func judge(c *cli.Context, r *inspection.Report) error {
	v := r.Verdict
	if c.Bool("check") && len(r.Findings) > 0 {
		return checkError{exitUnsound, v.Sentence}
	}
	if v.State == inspection.StateCorrupt {
		return errors.New(v.Sentence)
	}
	if !c.Bool("check") {
		return nil
	}
	switch v.State {
	case inspection.StateDead:
		return checkError{exitDead, v.Sentence}
	case inspection.StateBlocked:
		return checkError{exitBlocked, v.Sentence}
	case inspection.StateStopped:
		return checkError{exitStopped, v.Sentence}
	}
	return nil
}

// watch repeats the report. The ring's end and Ctrl-C are its ordinary ends.
func watch(c *cli.Context, name string, o inspection.Options) error {
	o.Interval = watchInterval
	for looks := 0; ; looks++ {
		r, err := inspection.Inspect(c.Context, name, o)
		if errors.Is(err, ipc.ErrNoRing) && looks > 0 {
			say(c, "ring %s is gone", name)
			return nil
		}
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		if isTerminal(c.App.Writer) && !c.Bool("json") {
			fmt.Fprint(c.App.Writer, "\x1b[H\x1b[J")
		}
		if err := printReport(c, r); err != nil {
			return err
		}
		if r.Writer.Status == "alive" {
			continue // the second look took the interval
		}
		if pause(c.Context, watchInterval) != nil {
			return nil
		}
	}
}

func exportFrame(c *cli.Context, name string) error {
	s, err := ipc.OpenSnapshot("", name)
	if err != nil {
		return err
	}
	defer s.Close()
	return ipc.Guard(func() error {
		return inspection.Export(c.Context, s.Segment, c.Uint64("npy"), c.App.Writer)
	}, s)
}
