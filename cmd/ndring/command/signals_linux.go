package command

import (
	"os"
	"syscall"
)

// endSignals end a command cleanly: streams closed, files removed.
func endSignals() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
}
