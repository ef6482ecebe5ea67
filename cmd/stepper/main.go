//go:build linux && amd64

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

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
	kills := flags.Int("kills", 400, "real deaths by SIGKILL at instructions drawn at random")
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "of the draw")
	verbose := flags.Bool("v", false, "say which script is stepped")
	flags.Parse(args)
	dir, err := os.MkdirTemp("/dev/shm", fmt.Sprintf("ndring-stepper-%d-", os.Getpid()))
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
	for _, leftOver := range []bool{false, true} {
		if !strings.Contains("listen", *only) {
			break
		}
		if err := stepListen(dir, leftOver, t); err != nil {
			return err
		}
	}
	if strings.Contains("close", *only) {
		if err := stepClose(dir, t); err != nil {
			return err
		}
	}
	if strings.Contains("serve", *only) {
		if err := stepServing(dir, t); err != nil {
			return err
		}
	}
	t.print(os.Stdout)
	if *only != "" && !strings.Contains("kills", *only) {
		return nil
	}
	began := time.Now()
	hits, err := killAtInstructions(dir, *seed, *kills)
	if err != nil {
		return err
	}
	fmt.Printf("%d writers killed by SIGKILL between two instructions %v, 0 lost, 0 torn, 0 stuck, seed %d, %.1f s\n", *kills, hits, *seed, time.Since(began).Seconds())
	return nil
}
