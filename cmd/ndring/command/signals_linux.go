package command

import (
	"os"
	"os/signal"
	"syscall"
)

// endSignals end a command cleanly: streams closed, files removed.
func endSignals() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
}

// survivePipes makes a write to stdout or stderr that nobody reads an error. It would
// end the process there and then, and leave its ring behind.
func survivePipes() { signal.Ignore(syscall.SIGPIPE) }
