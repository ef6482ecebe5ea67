package command

import (
	"fmt"

	"github.com/ndring/ndring/cmd/ndring/bench"
	"github.com/urfave/cli/v2"
)

// benchSide is the hidden command that the processes of a measurement run.
const benchSide = "bench-side"

func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure this machine's limits, in processes of their own", Action: runBench,
		Flags: []cli.Flag{&cli.IntFlag{Name: "rounds", Value: 5, Usage: "rounds, all figures once in each"}, jsonFlag()},
	}
}

func benchSideCommand() *cli.Command {
	return &cli.Command{
		Name: benchSide, Hidden: true,
		Action: func(c *cli.Context) error { return bench.Serve(bench.FloorRoles(), c.App.Writer) },
	}
}

func runBench(c *cli.Context) error {
	if c.Int("rounds") < 1 {
		return usagef("--rounds %d; give a number from 1 up", c.Int("rounds"))
	}
	host, err := bench.NewHost(benchSide)
	if err != nil {
		return err
	}
	plan := bench.Plan{Figures: bench.Floors(), Rounds: c.Int("rounds")}
	if isTerminal(c.App.ErrWriter) {
		plan.Progress = func(round int, figure string) {
			fmt.Fprintf(c.App.ErrWriter, "\r\x1b[Kround %d of %d: %s", round+1, c.Int("rounds"), figure)
		}
		defer fmt.Fprint(c.App.ErrWriter, "\r\x1b[K")
	}
	results, err := plan.Run(c.Context, host)
	if err != nil {
		return err
	}
	report := bench.Report{Machine: host.Machine(), Limits: results.Measurements, Skipped: results.Skipped}
	if c.Bool("json") {
		return report.WriteJSON(c.App.Writer)
	}
	return report.WriteText(c.App.Writer)
}
