package bridge

import "errors"

var (
	// ErrConfig is returned when a bridge has neither rings nor a kernel, or both,
	// or limits that contradict each other.
	ErrConfig = errors.New("invalid bridge")
	// ErrAddress is returned when a bridge would listen beyond this host without
	// knowing its clients.
	ErrAddress = errors.New("address is reachable from other hosts")
	// ErrResultsEnded is returned when the ring of results ends while the bridge
	// still serves: no client can be answered any more.
	ErrResultsEnded = errors.New("ring of results has ended")
	// ErrDelta is returned when a DELTA is not the difference of the two PRIMARY it
	// belongs to.
	ErrDelta = errors.New("delta is not the difference of the results")
	// ErrConversation is returned when a server's results do not fit what was sent.
	ErrConversation = errors.New("results do not fit the chunks sent")
)
