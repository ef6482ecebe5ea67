package command

import "github.com/urfave/cli/v2"

// commands are all subcommands, in the order of the help text.
func commands() []*cli.Command {
	return []*cli.Command{
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
}
