package command

import "github.com/urfave/cli/v2"

// commands are all subcommands, in the order of the help text.
func commands() []*cli.Command {
	return []*cli.Command{
		produceCommand(),
		stageCommand(),
		consumeCommand(),
		inspectCommand(),
		lsCommand(),
		gcCommand(),
		versionCommand(),
	}
}
