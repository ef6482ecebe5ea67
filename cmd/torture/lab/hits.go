//go:build linux

package lab

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"

	"github.com/ndring/ndring/cmd/torture/page"
)

// hits counts kills by role and state.
type hits struct {
	mu    sync.Mutex
	drawn map[target]int
	aimed map[target]int
	tags  map[string]int
}

type target struct{ role, state string }

// add notes a kill. asleep says that the actor slept for want of room or frames.
func (h *hits) add(of string, s page.State, asleep, aimed bool) {
	name := s.String()
	switch {
	case asleep && s.Step() == page.Claiming:
		name = "blocked"
	case asleep && s.Step() == page.Waiting:
		name = "parked"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drawn == nil {
		h.drawn, h.aimed, h.tags = map[target]int{}, map[target]int{}, map[string]int{}
	}
	for _, tag := range tagsOf(s, name) {
		h.tags[tag]++
	}
	if aimed {
		h.aimed[target{of, name}]++
	} else {
		h.drawn[target{of, name}]++
	}
}

// write prints a line for each state hit.
func (h *hits) write(w io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []target
	for _, m := range []map[target]int{h.drawn, h.aimed} {
		for t := range m {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(a, b target) int {
		return h.drawn[b] + h.aimed[b] - h.drawn[a] - h.aimed[a]
	})
	for _, tag := range allTags() {
		fmt.Fprintf(w, "%s %d, ", tag, h.tags[tag])
	}
	fmt.Fprintf(w, "elsewhere %d\n", h.tags[""])
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "killed\tin state\tat a random time\tat that state")
	for _, t := range all {
		fmt.Fprintf(tab, "%s\t%s\t%d\t%d\n", t.role, t.state, h.drawn[t], h.aimed[t])
	}
	tab.Flush()
}

// allTags are the states that a run must be able to hit.
func allTags() []string {
	return []string{"claimed", "written", "committed", "padding", "group", "batch", "blocked", "parked", "held", "attaching", "recovering", "closing"}
}

// tagsOf are those of allTags that a state is, or "".
func tagsOf(s page.State, name string) []string {
	step := map[page.State]string{
		page.Claimed: "claimed", page.Written: "written", page.Committing: "committed", page.Committed: "committed",
		page.Held: "held", page.Attaching: "attaching", page.Recovering: "recovering", page.Closing: "closing",
	}[s.Step()]
	if name == "blocked" || name == "parked" {
		step = name
	}
	tags := []string{step}
	if s&page.Padded != 0 {
		tags = append(tags, "padding")
	}
	if s&page.Grouped != 0 {
		tags = append(tags, "group")
	}
	if s&page.Batched != 0 {
		tags = append(tags, "batch")
	}
	return tags
}
