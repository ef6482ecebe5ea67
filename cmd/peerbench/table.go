package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// A table is a heading, a row a peer.
type table struct {
	title string
	head  []string
	rows  [][]string
}

// tables are the figures and the ratios.
func (r report) tables() []table {
	head := []string{"peer"}
	for _, q := range quantities() {
		head = append(head, q.title)
	}
	figures := table{title: "Medians over the rounds; ± is half the distance between the quartiles", head: head}
	ratios := table{title: "How many times better ndring is; in brackets ndring_park, which never spins, and behind a semicolon ndring_batched", head: head}
	for _, p := range r.chosen {
		if p.missing != "" {
			continue
		}
		figure, ratio := []string{p.name}, []string{p.name}
		for _, q := range quantities() {
			figure = append(figure, cell(q, r.figure(p.name, q.name)))
			ratio = append(ratio, r.timesBetter(q, p.name))
		}
		figures.rows = append(figures.rows, figure)
		if !isOwn(p.name) {
			ratios.rows = append(ratios.rows, ratio)
		}
	}
	return []table{figures, ratios}
}

// timesBetter are the ratios of all forms of ndring against the peer of this name.
func (r report) timesBetter(q quantity, name string) string {
	brackets := times(r.ratio(parkedName, q, name))
	if m := r.ratio(batchName, q, name); len(m.Rounds) > 0 {
		brackets += "; " + times(m)
	}
	return times(r.ratio(ownName, q, name)) + " (" + brackets + ")"
}

// cell is a median with its spread.
func cell(q quantity, m bench.Measurement) string {
	if len(m.Rounds) == 0 {
		return "–"
	}
	unit := rate
	if q.isTime {
		unit = duration
	}
	spread := ""
	if half := m.Spread() / 2; !math.IsNaN(half) {
		spread = " ±" + strconv.FormatFloat(100*half, 'f', 0, 64) + "%"
	}
	return unit(m.Median()) + spread
}

func duration(ns float64) string {
	switch {
	case ns >= 1e6:
		return digits(ns/1e6) + " ms"
	case ns >= 1e3:
		return digits(ns/1e3) + " µs"
	}
	return digits(ns) + " ns"
}

func rate(perSecond float64) string {
	switch {
	case perSecond >= 1e6:
		return digits(perSecond/1e6) + " M"
	case perSecond >= 1e3:
		return digits(perSecond/1e3) + " k"
	}
	return digits(perSecond)
}

func times(m bench.Measurement) string {
	if len(m.Rounds) == 0 {
		return "–"
	}
	return digits(m.Median()) + " ×"
}

// digits writes three significant digits, or all before the point.
func digits(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// writeText writes the report for people.
func (r report) writeText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, r.conditions())
	fmt.Fprintln(&b, r.versionLine())
	for _, t := range r.tables() {
		fmt.Fprintf(&b, "\n%s\n\n", t.title)
		columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(columns, strings.Join(t.head, "\t"))
		for _, row := range t.rows {
			fmt.Fprintln(columns, strings.Join(row, "\t"))
		}
		if err := columns.Flush(); err != nil {
			return fmt.Errorf("write the report as text: %w", err)
		}
	}
	for _, s := range r.skipped {
		fmt.Fprintf(&b, "\nleft out: %s (%s)\n", s.Figure, s.Reason)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the report as text: %w", err)
	}
	return nil
}

// conditions is one line on where the figures come from.
func (r report) conditions() string {
	m := r.machine
	pinned := "nothing pinned"
	if len(m.Pinned) > 1 {
		pinned = fmt.Sprintf("sides pinned to CPUs %d and %d", m.Pinned[0], m.Pinned[1])
	}
	return fmt.Sprintf("%s, %d CPUs, %s, Linux %s, %s %s; %d rounds of %v a workload",
		m.CPU, m.CPUs, pinned, m.Kernel, m.Go, m.Arch, r.rounds, r.time)
}
