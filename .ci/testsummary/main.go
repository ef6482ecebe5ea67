// Command testsummary reads what "go test -json" writes and prints what "go
// test" would have, then each reason to skip, then one line that counts.
//
//	go test -json ./... | testsummary [-record FILE]
//	testsummary -tally < FILE
//
// Skips are printed because plain "go test" hides them, and a test that was
// not run is news: the reason names what to install. -record appends the events to
// FILE; -tally prints only the last line, for the events of several runs put
// together: a test counts once, failed if it failed in one of them, skipped if
// it was skipped in all.
//
// The exit code is 1 when a test or a package failed or no test ran at all, 2 when the
// input cannot be read.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

// An event is one line of "go test -json", as "go doc test2json" describes it.
type event struct {
	Action     string
	Package    string
	ImportPath string // instead of Package, for the output of the compiler
	Test       string
	Output     string
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run summarises in and returns the exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("testsummary", flag.ContinueOnError)
	flags.SetOutput(errOut)
	record := flags.String("record", "", "append the events to `FILE`")
	tallyOnly := flags.Bool("tally", false, "print the counts only")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *record != "" {
		f, err := os.OpenFile(*record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			fmt.Fprintf(errOut, "testsummary: record the events: %v\n", err)
			return 2
		}
		defer f.Close()
		in = io.TeeReader(in, f)
	}
	pages := out
	if *tallyOnly {
		pages = io.Discard
	}
	t, err := summarise(in, pages)
	if err != nil {
		fmt.Fprintf(errOut, "testsummary: %v\n", err)
		return 2
	}
	fmt.Fprintln(out, t)
	if t.failed > 0 || t.passed+t.skipped == 0 {
		return 1
	}
	return 0
}

// summarise prints each package when it ends and returns the counts. A line
// that is not an event is printed as it is.
func summarise(in io.Reader, out io.Writer) (tally, error) {
	outcomes := map[testID]string{}
	running := map[string]*transcript{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				out.Write(line)
			} else {
				take(e, running, outcomes, out)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return tally{}, fmt.Errorf("read the events: %w", err)
		}
	}
	// A package without an end was cut off.
	for _, tr := range running {
		cutOff(tr, outcomes, out)
	}
	return count(outcomes), nil
}

// cutOff ends a package whose events stopped without a verdict.
func cutOff(tr *transcript, outcomes map[testID]string, out io.Writer) {
	tr.end(out, "fail")
	worsen(outcomes, testID{tr.name, ""}, "fail")
}

// take files one event.
func take(e event, running map[string]*transcript, outcomes map[testID]string, out io.Writer) {
	if e.Package == "" {
		io.WriteString(out, e.Output)
		return
	}
	tr := running[e.Package]
	if e.Action == "start" && tr != nil { // by the next of several runs
		cutOff(tr, outcomes, out)
		tr = nil
	}
	if tr == nil {
		tr = &transcript{name: e.Package, ended: map[string]string{}}
		running[e.Package] = tr
	}
	switch e.Action {
	case "output":
		tr.lines = append(tr.lines, outputLine{e.Test, e.Output})
	case "pass", "fail", "skip":
		if e.Test != "" {
			tr.ended[e.Test] = e.Action
			worsen(outcomes, testID{e.Package, e.Test}, e.Action)
			return
		}
		if e.Action == "fail" && !tr.anyFailed() {
			worsen(outcomes, testID{e.Package, ""}, "fail")
		}
		tr.end(out, e.Action)
		delete(running, e.Package)
	}
}
