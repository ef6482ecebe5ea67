package bench

import "errors"

var (
	// ErrSkipped is returned by a Figure that this machine cannot carry out,
	// wrapped with the reason; a run goes on without it.
	ErrSkipped = errors.New("figure skipped")

	// ErrNoFigure is returned by a Suite whose Only matches nothing.
	ErrNoFigure = errors.New("no figure of that name")

	// ErrRole is returned when a process is asked to play a part it does not
	// know: coordinator and side are different builds.
	ErrRole = errors.New("unknown role")

	// ErrMismatch is returned when a side read other values than its peer
	// wrote; the figure is worth nothing then.
	ErrMismatch = errors.New("values read differ from values written")

	// errDone ends what runs in the background of a role.
	errDone = errors.New("the measurement is over")
)
