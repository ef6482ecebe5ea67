package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Report is what a run has to say.
type Report struct {
	Machine Machine
	Limits  []Measurement // the floors
	Figures []Measurement // what is held against them
	Ratios  []Measurement // made by Ratio, named by their key
	Skipped []Skip
}

// jsonReport is the form for machines: ratios by key with their median alone,
// for a check to read, and the same in full beside them.
type jsonReport struct {
	Machine     Machine             `json:"machine"`
	Ratios      map[string]*float64 `json:"ratios"`
	RatioRounds []Measurement       `json:"ratio_rounds"`
	Limits      []Measurement       `json:"limits"`
	Figures     []Measurement       `json:"figures"`
	Skipped     []Skip              `json:"skipped"`
}

// WriteJSON writes the report as one indented JSON object; a list without
// entries is [], not null.
func (r Report) WriteJSON(w io.Writer) error {
	ratios := make(map[string]*float64, len(r.Ratios))
	for _, m := range r.Ratios {
		ratios[m.Name] = finite(m.Median())
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(jsonReport{
		Machine:     r.Machine,
		Ratios:      ratios,
		RatioRounds: listed(r.Ratios),
		Limits:      listed(r.Limits),
		Figures:     listed(r.Figures),
		Skipped:     listed(r.Skipped),
	})
	if err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	return nil
}

// listed is s, empty instead of nil.
func listed[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// WriteText writes the report as a table for people.
func (r Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	m := r.Machine
	fmt.Fprintf(w, "%s, %d CPUs (%s), kernels use %s\n", m.CPU, m.CPUs, pinnedText(m.Pinned), m.Vector)
	fmt.Fprintf(w, "Linux %s, %s %s, load average %.1f before and %.1f after\n", m.Kernel, m.Go, m.Arch, m.Load[0], m.Load[1])
	writeSection(t, "limits of the machine", r.Limits)
	writeSection(t, "figures", r.Figures)
	writeSection(t, "ratios", r.Ratios)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the report as text: %w", err)
	}
	fmt.Fprintln(w, "\n±: half the distance between the quartiles. *: counts all rounds, as others used the CPUs in more than half of them.")
	for _, s := range r.Skipped {
		if _, err := fmt.Fprintf(w, "\nleft out: %s (%s)\n", s.Figure, s.Reason); err != nil {
			return fmt.Errorf("write the report as text: %w", err)
		}
	}
	return nil
}

func pinnedText(cpus []int) string {
	if len(cpus) == 0 {
		return "nothing pinned"
	}
	words := make([]string, len(cpus))
	for i, cpu := range cpus {
		words[i] = strconv.Itoa(cpu)
	}
	return "pinned to " + strings.Join(words, ", ")
}

// writeSection writes one block of rows; the writer is right-aligned, so the
// name, which reads better on the left, is padded here.
func writeSection(t *tabwriter.Writer, title string, rows []Measurement) {
	if len(rows) == 0 {
		return
	}
	const nameWidth = 32
	fmt.Fprintf(t, "\n%-*s\tmedian\t±\tlow\thigh\t\tquiet rounds\t\n", nameWidth, title)
	for _, m := range rows {
		if len(m.Rounds) == 0 {
			continue
		}
		fmt.Fprintf(t, "%-*s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", nameWidth, m.Name,
			digits(m.Median()), percent(m.Spread()/2), digits(m.Low()), digits(m.High()), m.Unit, m.calm())
	}
}

// calm says how many rounds were quiet, with a mark if too few were.
func (m Measurement) calm() string {
	quiet := len(m.quiet())
	mark := ""
	if 2*quiet < len(m.Rounds) {
		mark = "*"
	}
	return fmt.Sprintf("%s%d/%d", mark, quiet, len(m.Rounds))
}

// digits writes v with three significant digits, or all before the point.
func digits(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.FormatFloat(100*v, 'f', 0, 64) + "%"
}
