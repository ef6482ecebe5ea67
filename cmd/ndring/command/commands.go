package command

import (
	"time"

	"github.com/urfave/cli/v2"
)

// commands are all subcommands, in the order of the help text.
func commands() []*cli.Command {
	all := []*cli.Command{
		demoCommand(),
		produceCommand(),
		stageCommand(),
		consumeCommand(),
		bridgeCommand(),
		inspectCommand(),
		lsCommand(),
		gcCommand(),
		benchCommand(),
		benchSideCommand(),
		versionCommand(),
		completionCommand(),
		completeCommand(),
	}
	for _, c := range all {
		c.HideHelpCommand = true // or rings could not be named help and h
		c.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
			return usagef("%w; see 'ndring help %s'", err, ctx.Command.Name)
		}
		for _, f := range c.Flags {
			if d, ok := f.(*cli.DurationFlag); ok {
				d.Action = fromZeroUp(d.Name)
			}
		}
	}
	return all
}

// fromZeroUp refuses negative values of a flag.
func fromZeroUp(flag string) func(*cli.Context, time.Duration) error {
	return func(_ *cli.Context, d time.Duration) error {
		if d < 0 {
			return usagef("--%s %v; give a time from 0 up, as in 30s", flag, d)
		}
		return nil
	}
}
