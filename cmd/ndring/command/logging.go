package command

import (
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"
)

// logger writes what the packages below have to say to stderr: warnings, and with
// --verbose everything.
func logger(c *cli.Context) *slog.Logger {
	level := slog.LevelWarn
	if c.Bool("verbose") {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: level}))
}

func verboseFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "log what happens to stderr"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print a JSON object to stdout"}
}

// say writes a line about the running command to stderr, in the place of the line
// that shows its progress.
func say(c *cli.Context, format string, args ...any) {
	before := ""
	if isTerminal(c.App.ErrWriter) {
		before = clearLine
	}
	fmt.Fprintf(c.App.ErrWriter, "%sndring %s: %s\n", before, c.Command.Name, fmt.Sprintf(format, args...))
}

// waiting is what a reader calls when its ring is not there yet.
func waiting(c *cli.Context) func(ring string) {
	return func(ring string) { waitingFor(c)("ring " + ring) }
}

func waitingFor(c *cli.Context) func(what string) {
	return func(what string) { say(c, "waiting for %s; start its writer, or press Ctrl-C", what) }
}
