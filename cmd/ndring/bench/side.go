package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

const (
	// assignmentVariable carries a side's part into its environment.
	assignmentVariable = "NDRING_BENCH_SIDE"

	// Descriptors of a side, in the order the coordinator passes them.
	sharedDescriptor = 3
	socketDescriptor = 4

	// maxSides bounds the meeting words; each has lines of its own.
	maxSides     = 64
	meetingLine  = 128
	meetingBytes = maxSides * meetingLine
)

// assignment is what a side is told.
type assignment struct {
	Role        string
	Index       int
	Count       int
	SharedBytes int
	Socket      bool
	PinTo       int // once it runs; or Unpinned
	Params      json.RawMessage
}

// Role is the part one process plays in a job. What it returns goes to the
// coordinator as JSON.
type Role func(side *Side) (any, error)

// Side is a process's view of its job, for the goroutine that runs the role.
type Side struct {
	// Index is its seat, Count the number of seats.
	Index, Count int

	// Shared is the memory all sides map, zero at first and populated. It
	// stays mapped until the process ends.
	Shared []byte

	// Socket is this end of the pair, blocking, or -1.
	Socket int

	params   json.RawMessage
	meetings []byte
	met      uint64
}

// Assigned reports whether this process was started to play a part.
func Assigned() bool { return os.Getenv(assignmentVariable) != "" }

// Serve plays the part this process was started for and writes the reply to
// stdout, which nothing else may write to. It returns ErrRole for a part that
// roles does not hold. Process exit releases the memory and the descriptors.
func Serve(roles map[string]Role, stdout io.Writer) error {
	var a assignment
	if err := json.Unmarshal([]byte(os.Getenv(assignmentVariable)), &a); err != nil {
		return fmt.Errorf("decode %s: %w; the benchmark sets it for the processes it starts", assignmentVariable, err)
	}
	role, found := roles[a.Role]
	if !found {
		return fmt.Errorf("play %q: %w", a.Role, ErrRole)
	}
	side, err := newSide(a)
	if err != nil {
		return err
	}
	if err := settleOn(a.PinTo); err != nil {
		return err
	}
	reply, err := role(side)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(reply)
}

// newSide maps what a names.
func newSide(a assignment) (*Side, error) {
	shared, err := mapShared(sharedDescriptor, meetingBytes+a.SharedBytes)
	if err != nil {
		return nil, err
	}
	side := &Side{
		Index: a.Index, Count: a.Count,
		Shared: shared[meetingBytes:], Socket: -1,
		params: a.Params, meetings: shared[:meetingBytes],
	}
	if a.Socket {
		side.Socket = socketDescriptor
	}
	return side, nil
}

// Params decodes the job's parameters into p, a pointer.
func (s *Side) Params(p any) error {
	if err := json.Unmarshal(s.params, p); err != nil {
		return fmt.Errorf("decode the parameters of side %d: %w", s.Index, err)
	}
	return nil
}

// Meet returns when every side has called it as often as this one: a start
// line. It spins for about as long as a process takes to start up, then
// naps, for sides may share a CPU.
func (s *Side) Meet() {
	s.met++
	atomic.StoreUint64(word(s.meetings, s.Index*meetingLine), s.met)
	for other := range s.Count {
		s.awaitMeeting(word(s.meetings, other*meetingLine))
	}
}

func (s *Side) awaitMeeting(theirs *uint64) {
	const looksBeforeNaps = 10_000
	for looks := 0; atomic.LoadUint64(theirs) < s.met; looks++ {
		if looks < looksBeforeNaps {
			pause(16)
			continue
		}
		time.Sleep(20 * time.Microsecond)
	}
}
