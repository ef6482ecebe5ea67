package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// report is what all rounds showed.
type report struct {
	plan   plan
	rounds []round
}

// print writes medians over the rounds.
func (r *report) print(w io.Writer) {
	p := r.plan
	fmt.Fprintf(w, "%d idle clients; %d tricklers, %d deaf, %d babblers; %v a phase, %d rounds\n\n",
		p.idle, p.tricklers, p.deaf, p.babblers, p.phase, p.rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\tbridge memory\tdescriptors\tanswer p50\tp99\tcommit p50\tp99\tframes\t")
	for i, name := range []string{"alone", "idle", "hostile", "after"} {
		fmt.Fprintf(t, "%s\t%.1f MB\t%d\t%v\t%v\t%v\t%v\t%d\t\n", name,
			float64(r.median(func(o round) int64 { return int64(o[i].resident) }))/1e6,
			r.median(func(o round) int64 { return int64(o[i].descriptors) }),
			time.Duration(r.median(func(o round) int64 { return o[i].answer.P50 })).Round(time.Microsecond),
			time.Duration(r.median(func(o round) int64 { return o[i].answer.P99 })).Round(time.Microsecond),
			time.Duration(r.median(func(o round) int64 { return o[i].commit.P50 })),
			time.Duration(r.median(func(o round) int64 { return o[i].commit.P99 })),
			r.median(func(o round) int64 { return o[i].commit.Count }))
	}
	_ = t.Flush()
	each := r.median(func(o round) int64 { return (int64(o[idle].resident) - int64(o[alone].resident)) / int64(p.idle) })
	fmt.Fprintf(w, "\nan idle client takes %d bytes of the bridge's memory\n", each)
	for _, phase := range []struct {
		at   int
		name string
	}{{idle, "idle clients"}, {hostile, "the whole crowd"}} {
		slower := r.median(func(o round) int64 { return 1000 * o[phase.at].commit.P99 / max(1, o[alone].commit.P99) })
		fmt.Fprintf(w, "commit p99 with %s is %.2f times that without\n", phase.name, float64(slower)/1000)
	}
}

func (r *report) median(of func(round) int64) int64 {
	var all []int64
	for _, o := range r.rounds {
		all = append(all, of(o))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
