//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/ndring/ndring/cmd/torture/lab"
	"github.com/ndring/ndring/cmd/torture/role"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == lab.PlayArgument {
		os.Exit(role.Play(os.Args[2]))
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// errFaults is returned when the run found faults; the report describes them.
var errFaults = errors.New("faults were found")

func run(args []string) error {
	l := &lab.Lab{Progress: os.Stderr}
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.DurationVar(&l.Duration, "duration", time.Minute, "how long harm is done")
	flags.IntVar(&l.Kills, "kills", 0, "end earlier when so many writers and so many readers were killed")
	flags.Uint64Var(&l.Seed, "seed", rand.Uint64(), "of all that is drawn")
	flags.DurationVar(&l.Stuck, "stuck", lab.DefaultStuck, "how long a room may stand still")
	flags.StringVar(&l.Program, "ndring", "", "path of ndring, for the rooms with stages and bridges")
	flags.BoolVar(&l.Verbose, "v", false, "tell what the control planes did in rooms that were given up")
	flags.BoolVar(&l.Soak, "soak", false, "judge memory and descriptors of the processes that live through it")
	rooms := flags.String("rooms", "", "of "+strings.Join(lab.Kinds(), ", ")+" (default: one of each kind, but of calm and restart, which are for -soak; of stage and bridge with -ndring)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l.Rooms = chosen(*rooms, l.Program != "")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Printf("seed %d\n", l.Seed)
	report, err := l.Run(ctx.Done())
	if err != nil {
		return err
	}
	report.Write(os.Stdout)
	if len(report.Faults) > 0 {
		return errFaults
	}
	return nil
}

// chosen are the rooms asked for, or those that there are programs for.
func chosen(rooms string, ndring bool) []string {
	switch {
	case rooms != "":
		return strings.Split(rooms, ",")
	case ndring:
		return []string{"writers", "writers", "readers", "all", "gate", "laps", "stage", "bridge"}
	}
	return []string{"writers", "writers", "readers", "all", "gate", "laps"}
}
