//go:build linux && amd64

package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// tally counts what was stepped and judged.
type tally struct {
	paths  map[string]*pathTally
	states int // distinct states of a ring that were judged
	frames int // frames that were compared with what is due
	calls  int // system calls after which a real Listen took over a copy
	began  time.Time
}

// pathTally is what was stepped of one path of the writer.
type pathTally struct {
	runs    int
	steps   int
	changes int // steps after which the ring's memory differed
	places  map[uint64]struct{}
}

func newTally() *tally { return &tally{paths: map[string]*pathTally{}, began: time.Now()} }

func (t *tally) path(name string) *pathTally {
	p := t.paths[name]
	if p == nil {
		p = &pathTally{places: map[uint64]struct{}{}}
		t.paths[name] = p
	}
	return p
}

func (p *pathTally) count(pc uint64, changed bool) {
	p.steps++
	if changed {
		p.changes++
	}
	p.places[pc] = struct{}{}
}

// placeOf names the function, file and line of an instruction. Both processes run
// the same program at the same addresses.
func placeOf(pc uint64) string {
	f := runtime.FuncForPC(uintptr(pc))
	if f == nil {
		return fmt.Sprintf("%#x, outside the program", pc)
	}
	file, line := f.FileLine(uintptr(pc))
	return fmt.Sprintf("%s (%s:%d)", f.Name(), file[strings.LastIndexByte(file, '/')+1:], line)
}

// shipped reports whether pc is an instruction of the ring's own packages.
func shipped(pc uint64) bool {
	f := runtime.FuncForPC(uintptr(pc))
	return f != nil && strings.Contains(f.Name(), "/ndring/") && !strings.Contains(f.Name(), "/stepper/")
}

// print writes the figures, one line for each path.
func (t *tally) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "path\truns\tinstructions\tof the ring's packages, distinct\tchanges of memory")
	var steps, changes int
	all := map[uint64]struct{}{}
	for _, name := range slices.Sorted(maps.Keys(t.paths)) {
		p := t.paths[name]
		own := 0
		for pc := range p.places {
			if shipped(pc) {
				own++
				all[pc] = struct{}{}
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", name, p.runs, p.steps, own, p.changes)
		steps, changes = steps+p.steps, changes+p.changes
	}
	fmt.Fprintf(w, "all\t\t%d\t%d\t%d\n", steps, len(all), changes)
	w.Flush()
	fmt.Fprintf(out, "%d states judged, %d frames compared, %d directories taken over, %.1f s\n", t.states, t.frames, t.calls, time.Since(t.began).Seconds())
}
