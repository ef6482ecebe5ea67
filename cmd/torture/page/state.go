//go:build linux

package page

import "strings"

// State is what an actor is doing, with what it does it to.
type State uint64

// What an actor is doing. The order is that of a life.
const (
	Starting   State = iota // up to the first instruction of its role
	Attaching               // a reader in Dial or Observe
	Recovering              // a writer in Listen
	Claiming                // from before Claim to after it
	Claimed                 // writing the payload
	Written                 // the payload is complete
	Committing              // from before Commit to after it
	Committed               // before the log says so
	Waiting                 // from before Next to after it
	Held                    // a frame is under lease and not checked yet
	Verified                // checked, the log says so
	Releasing               // from before Release to after it
	Released                // before the log says so
	Closing                 // in Close
	steps      = iota
	stepMask   = 0xff
)

// What a writer is writing.
const (
	Padded  State = 1 << (8 + iota) // the frame stands behind padding
	Grouped                         // several frames at once
	Batched                         // several frames alike at once
)

// Step is the state without what it is done to.
func (s State) Step() State { return s & stepMask }

// Includes reports whether s is the step of other, done to at least what other says.
func (s State) Includes(other State) bool {
	return s.Step() == other.Step() && s&other == other
}

func (s State) String() string {
	names := [steps]string{
		"starting", "attaching", "recovering", "claiming", "claimed", "written", "committing", "committed",
		"waiting", "held", "verified", "releasing", "released", "closing",
	}
	if s.Step() >= steps {
		return "unknown"
	}
	parts := []string{names[s.Step()]}
	for _, f := range []struct {
		flag State
		name string
	}{{Padded, "padding"}, {Grouped, "group"}, {Batched, "batch"}} {
		if s&f.flag != 0 {
			parts = append(parts, f.name)
		}
	}
	return strings.Join(parts, "+")
}
