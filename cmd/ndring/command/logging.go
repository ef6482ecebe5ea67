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

// say writes a line about the running command to stderr.
func say(c *cli.Context, format string, args ...any) {
	fmt.Fprintf(c.App.ErrWriter, "ndring %s: %s\n", c.Command.Name, fmt.Sprintf(format, args...))
}

// waiting is what a reader calls when its ring is not there yet.
func waiting(c *cli.Context) func(string) {
	return func(ring string) {
		say(c, "waiting for ring %s; start its writer, or press Ctrl-C", ring)
	}
}
