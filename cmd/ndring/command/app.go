// Package command holds the subcommands of ndring, one file each: flags, wiring
// and printing, nothing else.
//
// Everything a person reads goes to stderr when stdout carries data. Exit codes: 0
// success, 1 failure, 2 usage.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"

	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// Main runs the program and returns its exit code. Ctrl-C and SIGTERM cancel the
// context of the running command, which then ends cleanly.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	survivePipes()
	out := &output{to: stdout}
	app := newApp(stdin, out, stderr)
	ordered, err := flagsFirst(app.Commands, args)
	if err == nil {
		err = app.RunContext(ctx, ordered)
	}
	if err == nil {
		err = out.err
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "ndring: %v\n", err)
	return exitCode(err)
}

// exitCode is how the program ends with an error.
func exitCode(err error) int {
	var usage usageError
	var check checkError
	_, noTopic := err.(cli.ExitCoder) // of the help command; a process that failed looks alike deeper down
	switch {
	case noTopic, errors.As(err, &usage), errors.Is(err, proto.ErrName):
		return exitUsage
	case errors.As(err, &check):
		return check.code
	}
	return exitFailure
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:           "ndring",
		Usage:          "zero-copy N-dimensional array streams between processes",
		HideVersion:    true,
		Reader:         stdin,
		Writer:         stdout,
		ErrWriter:      stderr,
		ExitErrHandler: func(*cli.Context, error) {}, // Main prints and chooses the code
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
		Action:         noCommand,
		Commands:       commands(),
	}
}

// noCommand runs when the first argument names no command.
func noCommand(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("unknown command %q; see 'ndring help'", c.Args().First())
	}
	return cli.ShowAppHelp(c)
}
