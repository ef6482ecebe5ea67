package command

import (
	"errors"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/urfave/cli/v2"
)

func gcCommand() *cli.Command {
	return &cli.Command{
		Name: "gc", Usage: "remove the files of rings whose writer is dead", Flags: []cli.Flag{jsonFlag()}, Action: gc,
		Description: "A ring that has a living writer stays. What a dead writer left unread is lost.",
	}
}

// collected is what happened to a ring, for machines.
type collected struct {
	Name    string `json:"name"`
	Removed bool   `json:"removed"`
	Error   string `json:"error,omitempty"`
}

func gc(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("gc: unexpected %q; it looks at every ring", c.Args().First())
	}
	rings, err := ipc.Collect("")
	if err != nil {
		return err
	}
	all, failed := []collected{}, error(nil)
	for _, r := range rings {
		done := collected{Name: r.Name, Removed: r.Removed}
		if r.Err != nil {
			done.Error = r.Err.Error()
		}
		if r.Err != nil && !errors.Is(r.Err, ipc.ErrWriterAlive) {
			failed = errors.Join(failed, r.Err)
		}
		all = append(all, done)
	}
	if c.Bool("json") {
		return errors.Join(failed, printJSON(c, all))
	}
	for _, r := range all {
		if r.Removed {
			fmt.Fprintf(c.App.Writer, "removed %s\n", r.Name)
		} else {
			say(c, "kept %s: %s", r.Name, r.Error)
		}
	}
	return failed
}
