package command

import "github.com/urfave/cli/v2"

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
		c.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
			return usagef("%w; see 'ndring help %s'", err, ctx.Command.Name)
		}
	}
	return all
}
