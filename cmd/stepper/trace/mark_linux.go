package trace

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Marks a traced thread can set.
const (
	MarkNext = unix.SIGUSR1 // the next part begins
	MarkEnd  = unix.SIGUSR2 // the last part is over
)

// Marker sets marks for the thread that made it.
type Marker struct {
	PID, TID int
}

// NewMarker locks the calling goroutine to its thread, for good.
func NewMarker() Marker {
	runtime.LockOSThread()
	return Marker{PID: os.Getpid(), TID: unix.Gettid()}
}

// Mark stops the thread for its tracer. The call does not enter the scheduler.
func (m Marker) Mark(what unix.Signal) {
	unix.RawSyscall(unix.SYS_TGKILL, uintptr(m.PID), uintptr(m.TID), uintptr(what))
}
