package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

func main() {
	if bench.Assigned() {
		exitOn(bench.Serve(roles(), os.Stdout))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exitOn(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func exitOn(err error) {
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "peerbench:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	json     bool
	markdown string
	rounds   int
	time     time.Duration
	names    string
	pin      bool
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("peerbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.json, "json", false, "write JSON instead of tables")
	flags.StringVar(&o.markdown, "markdown", "", "also put the tables into this `document`, between its two marking lines")
	flags.IntVar(&o.rounds, "rounds", 7, "`rounds`; each measures every workload of every peer once")
	flags.DurationVar(&o.time, "time", 150*time.Millisecond, "`duration` measured of each workload in each round")
	flags.StringVar(&o.names, "peers", "", "`names` to measure, separated by commas (default all)")
	flags.BoolVar(&o.pin, "pin", true, "pin the two sides to a CPU each, if there are two")
	if err := flags.Parse(args); err != nil {
		return options{}, flag.ErrHelp // it has printed what is wrong
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("read the command line: %q is not a flag; peerbench -h lists them", flags.Arg(0))
	}
	if o.rounds < 1 || o.time <= 0 {
		return options{}, fmt.Errorf("read the command line: %d rounds of %v; both must be positive", o.rounds, o.time)
	}
	return o, nil
}

// chosenPeers are the named ones in the order of the report, or all.
func chosenPeers(names string) ([]peer, error) {
	if names == "" {
		return peers(), nil
	}
	var chosen []peer
	for name := range strings.SplitSeq(names, ",") {
		p, found := findPeer(peers(), name)
		if !found {
			return nil, fmt.Errorf("choose peer %q: there are %s", name, peerNames())
		}
		chosen = append(chosen, p)
	}
	return chosen, nil
}

func peerNames() string {
	var names []string
	for _, p := range peers() {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// run measures and reports. Comparisons that failed make an error after the
// report of all others.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	chosen, err := chosenPeers(o.names)
	if err != nil {
		return err
	}
	if o.markdown != "" {
		if err := checkMarkdown(o.markdown); err != nil {
			return err
		}
	}
	host, err := bench.NewHost()
	if err != nil {
		return err
	}
	if !o.pin {
		host.CPUs = nil
	}
	r, failed, err := compare(ctx, host, chosen, o, stderr)
	if err != nil {
		return err
	}
	write := r.writeText
	if o.json {
		write = r.writeJSON
	}
	if err := write(stdout); err != nil {
		return err
	}
	if o.markdown != "" && failed == nil {
		return r.updateMarkdown(o.markdown)
	}
	return failed
}

// compare carries the run out. failed joins what could not be finished.
func compare(ctx context.Context, host *bench.Host, chosen []peer, o options, stderr io.Writer) (r report, failed, err error) {
	var failures []failure
	figures, missing := comparisons(chosen, o.time, &failures)
	for _, s := range missing {
		fmt.Fprintf(stderr, "SKIP %s: %s\n", s.Figure, s.Reason)
	}
	last := -1
	plan := bench.Plan{Figures: figures, Rounds: o.rounds, Progress: func(round int, _ string) {
		if round != last {
			last = round
			fmt.Fprintf(stderr, "round %d of %d\n", round+1, o.rounds)
		}
	}}
	results, err := plan.Run(ctx, host)
	if err != nil {
		return report{}, nil, err
	}
	var errs []error
	for _, f := range failures {
		errs = append(errs, fmt.Errorf("%s: %w", f.name, f.err))
	}
	return report{
		machine: host.Machine(), rounds: o.rounds, time: o.time, chosen: chosen,
		figures: results.Measurements, skipped: append(missing, results.Skipped...),
	}, errors.Join(errs...), nil
}
