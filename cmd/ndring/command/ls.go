package command

import (
	"fmt"
	"text/tabwriter"

	"github.com/ndring/ndring/cmd/ndring/inspection"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/ipc"
	"github.com/urfave/cli/v2"
)

func lsCommand() *cli.Command {
	return &cli.Command{
		Name: "ls", Usage: "list the rings of the ring directory", Flags: []cli.Flag{jsonFlag()}, Action: ls,
		Description: "The directory is $NDRING_DIR, or ndring-<uid> in /dev/shm.",
	}
}

// listed is a ring for machines.
type listed struct {
	Name      string `json:"name"`
	Alive     bool   `json:"alive"`
	WriterPID int    `json:"writer_pid,omitempty"`
	Bytes     uint64 `json:"bytes"`
	Schema    string `json:"schema,omitempty"`
	Error     string `json:"error,omitempty"`
}

func ls(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("ls: unexpected %q", c.Args().First())
	}
	rings, err := ipc.List("")
	if err != nil {
		return err
	}
	all := []listed{}
	for _, r := range rings {
		l := listed{Name: r.Name, Alive: r.Alive, WriterPID: r.WriterPID, Bytes: r.Bytes}
		if r.Identity != nil {
			l.Schema = inspection.Schema(r.Identity.Schema)
		}
		if r.Err != nil {
			l.Error = r.Err.Error()
		}
		all = append(all, l)
	}
	if c.Bool("json") {
		return printJSON(c, all)
	}
	return printRings(c, all)
}

func printRings(c *cli.Context, all []listed) error {
	if len(all) == 0 {
		say(c, "no rings in %s", ipc.DefaultDir())
		return nil
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "RING\tSIZE\tFRAMES\tWRITER")
	for _, l := range all {
		writer := "dead"
		switch {
		case l.Error != "":
			writer = l.Error
		case l.Alive:
			writer = fmt.Sprintf("pid %d", l.WriterPID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Name, quantity.Bytes(l.Bytes), l.Schema, writer)
	}
	return w.Flush()
}
