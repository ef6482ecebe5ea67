//go:build linux && amd64

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/ndring/ndring/cmd/stepper/script"
)

func main() {
	played, err := playPart()
	if !played {
		err = stepAll(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stepper:", err)
		os.Exit(1)
	}
}

func stepAll(args []string) error {
	flags := flag.NewFlagSet("stepper", flag.ExitOnError)
	short := flags.Bool("short", false, "only the scripts of the short form")
	only := flags.String("only", "", "only scripts whose name holds this")
	verbose := flags.Bool("v", false, "say which script is stepped")
	flags.Parse(args)
	dir, err := os.MkdirTemp("/dev/shm", "ndring-stepper-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := newTally()
	for i, s := range script.All() {
		if *short && !s.Short || !strings.Contains(s.Name, *only) {
			continue
		}
		if *verbose {
			fmt.Fprintln(os.Stderr, s.Name)
		}
		if err := stepScript(dir, i, s, t); err != nil {
			return err
		}
	}
	t.print(os.Stdout)
	return nil
}
