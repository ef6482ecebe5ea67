package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run checks one tree and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("houselint", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.Bool("list", false, "print the rules and exit")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *list {
		for _, r := range rules() {
			fmt.Fprintf(stdout, "%-11s %s\n", r.name, r.doc)
		}
		return 0
	}
	root := "."
	if flags.NArg() > 0 {
		root = flags.Arg(0)
	}
	t, err := openCheckout(root)
	if err != nil {
		fmt.Fprintf(stderr, "houselint: %v\n", err)
		return 2
	}
	return report(check(t), stdout, stderr)
}

// report prints the findings, one a line.
func report(findings []finding, stdout, stderr io.Writer) int {
	for _, f := range findings {
		fmt.Fprintln(stdout, f)
	}
	if len(findings) == 0 {
		return 0
	}
	fmt.Fprintf(stderr, "houselint: %d findings\n", len(findings))
	return 1
}
