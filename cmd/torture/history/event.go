package history

import "fmt"

// Kind says what happened.
type Kind uint8

// The kinds of events and the meaning of A, B, C and D.
const (
	None     Kind = iota
	Listened      // A number of the next frame, B epoch, C position
	Wrote         // A first number, B end of what was meant, C end of what was committed
	Closed        // A number of frames in the ring
	Attached      // A position, B epoch
	Read          // A first number, B end of what was verified, C end of what was released, D author
	Lapped        // A frames missed before the next one, B laps so far
	Torn          // A number expected, B position, C number found
	Ended         // A frames in the ring as far as the reader knows
	Evicted
	Refused
	Failed
	Leaked  // A what (a Resource), B count before, C count after
	Rescued // A waits that only the safety interval ended
)

// Resource is what a process may leak.
type Resource uint64

// What is counted before a process attaches and after it let go.
const (
	Descriptors Resource = iota
	Mappings
	Goroutines
)

func (r Resource) String() string {
	names := []string{"descriptors", "mappings", "goroutines"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("resource %d", uint64(r))
}

// Event is one entry of an actor's log.
type Event struct {
	Kind Kind
	Life uint32 // of the actor, from 1
	A    uint64
	B    uint64
	C    uint64
	D    uint64
}

// Sort is what is wrong.
type Sort string

// The sorts of faults.
const (
	Loss       Sort = "lost"
	Duplicate  Sort = "duplicate"
	Tear       Sort = "torn"
	Reordering Sort = "reordered"
	Unreported Sort = "unreported lap"
	Ghost      Sort = "ghost" // a frame of a life that did not leave it to the ring
	Rewind     Sort = "rewound"
	Unfinished Sort = "unfinished"
	Dismissal  Sort = "dismissed" // a reader was told that its place is gone although it was promised
	Failure    Sort = "failed"
	Leak       Sort = "leak"
	Stuck      Sort = "stuck"
	Residue    Sort = "left behind"
)

// Fault is one thing that is wrong in a history.
type Fault struct {
	Sort  Sort
	Actor string
	Life  uint32
	Text  string
}

func (f Fault) String() string {
	return fmt.Sprintf("%s: %s, life %d: %s", f.Sort, f.Actor, f.Life, f.Text)
}

// ledger keeps the first faults and counts them all.
type ledger struct {
	actor string
	found []Fault
	count int
}

// keptFaults bounds how many faults of one actor are described.
const keptFaults = 20

func (l *ledger) add(sort Sort, life uint32, format string, args ...any) {
	l.count++
	if len(l.found) < keptFaults {
		l.found = append(l.found, Fault{sort, l.actor, life, fmt.Sprintf(format, args...)})
	}
}

// common takes the events that mean the same in every log.
func (l *ledger) common(e Event) {
	switch e.Kind {
	case Failed:
		l.add(Failure, e.Life, "it ended with an error, see what it said")
	case Leaked:
		l.add(Leak, e.Life, "%d %v before it attached, %d after it let go", e.B, Resource(e.A), e.C)
	}
}

// Faults describes what was found, the first of them, and tells how many there are.
func (l *ledger) Faults() ([]Fault, int) { return l.found, l.count }
