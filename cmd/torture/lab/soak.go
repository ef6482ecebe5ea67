//go:build linux

package lab

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
)

// line is a quantity over time. Times are seconds since the first sample.
type line struct {
	at, value []float64
}

func (l *line) add(at, value float64) {
	l.at, l.value = append(l.at, at), append(l.value, value)
}

// settled is the line without its first third, in which a process takes what it needs.
func (l *line) settled() *line {
	n := len(l.at) / 3
	return &line{at: l.at[n:], value: l.value[n:]}
}

// slope is that of the straight line closest to the samples by least squares, per
// second.
func (l *line) slope() float64 {
	n := float64(len(l.at))
	var sx, sy, sxx, sxy float64
	for i, x := range l.at {
		sx, sy, sxx, sxy = sx+x, sy+l.value[i], sxx+x*x, sxy+x*l.value[i]
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// growth is how much the line rises from its first sample to its last by its slope.
func (l *line) growth() float64 {
	if len(l.at) < 2 {
		return 0
	}
	return l.slope() * (l.at[len(l.at)-1] - l.at[0])
}

func (l *line) ends() (first, last float64) {
	if len(l.value) == 0 {
		return 0, 0
	}
	return l.value[0], l.value[len(l.value)-1]
}

// endurance is what one process that lives through a soak takes.
type endurance struct {
	name   string
	pid    func() int
	memory line // resident bytes
	files  line // descriptors
}

// The most by which a line may rise after its first third.
const (
	flatBytes = 2 << 20
	flatFiles = 2
)

// sampleEvery is the interval of samples in a soak.
const sampleEvery = time.Second

// watchers are the processes to be sampled: the laboratory and all that are spared.
func (l *Lab) watchers() []*endurance {
	all := []*endurance{{name: "laboratory", pid: os.Getpid}}
	for _, r := range l.rooms {
		for _, a := range r.cast {
			if a.spared {
				all = append(all, &endurance{name: a.name, pid: func() int { return int(a.pid.Load()) }})
			}
		}
	}
	return all
}

// sample measures until done is closed.
func (l *Lab) sample(done <-chan struct{}) {
	start := time.Now()
	for {
		select {
		case <-done:
			return
		case <-time.After(sampleEvery):
		}
		for _, e := range l.enduring {
			e.sample(time.Since(start).Seconds())
		}
	}
}

func (e *endurance) sample(at float64) {
	folder := "/proc/" + strconv.Itoa(e.pid()) + "/"
	statm, err := os.ReadFile(folder + "statm")
	if err != nil {
		return // between two lives
	}
	files, err := os.ReadDir(folder + "fd")
	fields := strings.Fields(string(statm))
	if err != nil || len(fields) < 2 {
		return
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return
	}
	e.memory.add(at, pages*float64(os.Getpagesize()))
	e.files.add(at, float64(len(files)))
}

// faults judges the lines.
func (e *endurance) faults() []history.Fault {
	var found []history.Fault
	if g := e.memory.settled().growth(); g > flatBytes {
		found = append(found, history.Fault{Sort: history.Leak, Actor: e.name, Text: fmt.Sprintf("its memory grew by %.0f bytes after the first third", g)})
	}
	if g := e.files.settled().growth(); g >= flatFiles {
		found = append(found, history.Fault{Sort: history.Leak, Actor: e.name, Text: fmt.Sprintf("its descriptors grew by %.1f after the first third", g)})
	}
	return found
}

func writeEndurance(w io.Writer, all []*endurance) {
	if len(all) == 0 {
		return
	}
	const mib = 1 << 20
	fmt.Fprintln(w, "after the first third of the time:")
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "process\tsamples\tMiB, first and last\trise in all\tdescriptors, first and last\trise in all")
	for _, e := range all {
		memory, files := e.memory.settled(), e.files.settled()
		m0, m1 := memory.ends()
		f0, f1 := files.ends()
		fmt.Fprintf(tab, "%s\t%d\t%.2f  %.2f\t%+.3f MiB\t%.0f  %.0f\t%+.2f\n",
			e.name, len(memory.at), m0/mib, m1/mib, memory.growth()/mib, f0, f1, files.growth())
	}
	tab.Flush()
}
