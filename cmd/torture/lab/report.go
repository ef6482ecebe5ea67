//go:build linux

package lab

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
)

// Report is what a run found.
type Report struct {
	Faults []history.Fault
	Count  int // of all faults, also those not described

	lab   *Lab
	took  time.Duration
	words []string
}

// report collects what the rooms found.
func (l *Lab) report(took time.Duration) *Report {
	rep := &Report{lab: l, took: took}
	for _, r := range l.rooms {
		rep.Faults = append(rep.Faults, r.faults...)
		rep.Count += len(r.faults)
		for _, a := range r.cast {
			found, count := a.judge.Faults()
			rep.Faults = append(rep.Faults, found...)
			rep.Count += count
		}
		if r.why != nil {
			rep.words = append(rep.words, r.last...)
		}
	}
	for _, e := range l.enduring {
		rep.Faults = append(rep.Faults, e.faults()...)
	}
	return rep
}

// Write prints the report for people.
func (rep *Report) Write(w io.Writer) {
	l, c := rep.lab, &rep.lab.count
	fmt.Fprintf(w, "seed %d, %d rooms, %v\n", l.Seed, len(l.rooms), rep.took.Round(time.Millisecond))
	fmt.Fprintf(w, "SIGKILL: %d writers, %d readers, %d observers, %d stages, %d bridges, %d clients; %d processes started, %d stopped and continued, %d connections cut\n",
		c.writers.Load(), c.readers.Load(), c.lookers.Load(), c.stages.Load(), c.bridges.Load(), c.clients.Load(), c.starts.Load(), c.stops.Load(), c.cuts.Load())
	rep.flows(w)
	fmt.Fprintf(w, "from the death of the reader that held up the ring to the writer's next claim: %v\n", &l.gates)
	l.hits.write(w)
	writeEndurance(w, l.enduring)
	for _, f := range rep.Faults {
		fmt.Fprintln(w, "FAULT", f)
	}
	for _, text := range rep.words {
		fmt.Fprintln(w, text)
	}
	fmt.Fprintf(w, "%d faults\n", max(rep.Count, len(rep.Faults)))
}

// flows prints what went through each room.
func (rep *Report) flows(w io.Writer) {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "actor\tlives\tframes\ttold missing\tseen again after a death\tthough released\tdismissed\trescues")
	for _, r := range rep.lab.rooms {
		for _, a := range r.cast {
			switch j := a.judge.(type) {
			case *history.Writer:
				fmt.Fprintf(tab, "%s\t%d\t%d\n", a.name, a.life, j.Frames())
			case *history.Program:
				fmt.Fprintf(tab, "%s\t%d\n", a.name, a.life)
			case *history.Reader:
				fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", a.name, a.life, j.Frames, j.Missed, j.Repeated, j.Released, j.Dismissed, j.Rescues)
			}
		}
	}
	tab.Flush()
}
