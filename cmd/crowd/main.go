package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// writerRole as first argument makes this program the writer.
const writerRole = "writer"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) == 2 && os.Args[1] == writerRole {
		if err := serveWriter(ctx, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "crowd writer:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// plan is how large the crowd is and how long it is looked at.
type plan struct {
	program                   string
	idle                      int
	tricklers, deaf, babblers int
	phase                     time.Duration
	rounds                    int
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var p plan
	flags := flag.NewFlagSet("crowd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&p.program, "ndring", "bin/ndring", "the program under test")
	flags.IntVar(&p.idle, "clients", 10000, "clients that are silent")
	flags.IntVar(&p.tricklers, "tricklers", 100, "clients that send a byte a second")
	flags.IntVar(&p.deaf, "deaf", 100, "clients that never read")
	flags.IntVar(&p.babblers, "babblers", 10, "clients that send random bytes, again and again")
	flags.DurationVar(&p.phase, "phase", 10*time.Second, "time measured in each phase")
	flags.IntVar(&p.rounds, "rounds", 1, "how often all phases are run")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 || p.idle < 1 || p.tricklers < 0 || p.deaf < 0 || p.babblers < 0 || p.phase <= 0 || p.rounds < 1 {
		fmt.Fprintln(stderr, "crowd: numbers of clients from 0 up, one or more idle ones, a phase and rounds; no other arguments")
		return 2
	}
	report, err := hold(ctx, p, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "crowd:", err)
		return 1
	}
	report.print(stdout)
	return 0
}
