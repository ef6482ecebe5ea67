package command

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ndring/ndring/cmd/ndring/bench"
	"github.com/urfave/cli/v2"
)

// benchSide is the hidden command that the processes of a measurement run.
const benchSide = "bench-side"

func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure ndring and this machine's limits in one run, in processes of their own", Action: runBench,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "rounds", Usage: "rounds, all figures once in each", DefaultText: "5, with --quick 1"},
			&cli.StringFlag{Name: "only", Usage: "measure only the figures whose names match this regular expression, and what it is divided by"},
			&cli.BoolFlag{Name: "quick", Usage: "a look in a few seconds, too short for a table"},
			&cli.StringFlag{Name: "update", Usage: "write the whole table into this Markdown `FILE`, between its markers"},
			jsonFlag(),
		},
	}
}

func benchSideCommand() *cli.Command {
	return &cli.Command{
		Name: benchSide, Hidden: true,
		Action: func(c *cli.Context) error { return bench.Serve(bench.Roles(), c.App.Writer) },
	}
}

func runBench(c *cli.Context) error {
	suite, err := benchSuite(c)
	if err != nil {
		return err
	}
	file := c.String("update")
	if file != "" { // measuring takes minutes
		if err := bench.CheckFile(file); err != nil {
			return err
		}
	}
	host, err := bench.NewHost(benchSide)
	if err != nil {
		return err
	}
	if isTerminal(c.App.ErrWriter) {
		suite.Progress = func(round int, figure string) {
			fmt.Fprintf(c.App.ErrWriter, "\r\x1b[Kround %d of %d: %s", round+1, suite.Rounds, figure)
		}
		defer fmt.Fprint(c.App.ErrWriter, "\r\x1b[K")
	}
	report, err := suite.Run(c.Context, host)
	if errors.Is(err, bench.ErrNoFigure) {
		return usagef("--only %q: %w; there are %s", suite.Only, err, strings.Join(suite.Names(), ", "))
	}
	if err != nil {
		return err
	}
	if file != "" {
		if err := report.UpdateFile(file); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return report.WriteJSON(c.App.Writer)
	}
	return report.WriteText(c.App.Writer)
}

// benchSuite is what the flags say.
func benchSuite(c *cli.Context) (bench.Suite, error) {
	s := bench.Suite{Quick: c.Bool("quick"), Rounds: 5}
	if s.Quick {
		s.Rounds = 1
	}
	if c.NArg() > 0 {
		return s, usagef("bench: unexpected %q", c.Args().First())
	}
	if c.IsSet("rounds") {
		s.Rounds = c.Int("rounds")
	}
	if s.Rounds < 1 {
		return s, usagef("--rounds %d; give a number from 1 up", s.Rounds)
	}
	if text := c.String("only"); text != "" {
		only, err := regexp.Compile(text)
		if err != nil {
			return s, usagef("--only: %w", err)
		}
		s.Only = only
	}
	if c.String("update") != "" && (s.Quick || s.Only != nil) {
		return s, usagef("--update with --quick or --only; give it alone: the table holds everything, measured in full")
	}
	return s, nil
}
