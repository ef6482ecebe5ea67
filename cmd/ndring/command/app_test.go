package command

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

// Check which errors are mistakes in the command line, and that a process of the demo
// that failed, whatever its own exit code, is none.
func TestExitCode(t *testing.T) {
	for want, errs := range map[int][]error{
		exitFailure: {errors.New("no"), fmt.Errorf("the tour failed: %w", &exec.ExitError{})},
		exitUsage:   {usagef("no"), fmt.Errorf("dial: %w", proto.ErrName), cli.Exit("no help topic", 3)},
		exitDead:    {checkError{exitDead, "dead"}},
	} {
		for _, err := range errs {
			if got := exitCode(err); got != want {
				t.Errorf("%#v: exit code %d, want %d", err, got, want)
			}
		}
	}
}
