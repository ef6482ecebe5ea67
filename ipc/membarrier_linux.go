package ipc

import "golang.org/x/sys/unix"

// Commands of membarrier(2).
const (
	membarrierQuery                   = 0
	membarrierGlobalExpedited         = 1 << 1
	membarrierRegisterGlobalExpedited = 1 << 2
)

// Register makes this process one whose processors membarrier interrupts, so
// that its side of a parking handshake can do without a fence. It reports
// whether the kernel agreed; registering again changes nothing.
func Register() bool {
	known, err := membarrier(membarrierQuery)
	if err != nil || known&membarrierRegisterGlobalExpedited == 0 || known&membarrierGlobalExpedited == 0 {
		return false
	}
	_, err = membarrier(membarrierRegisterGlobalExpedited)
	return err == nil
}

// Barrier is a full fence on every processor that runs a registered process.
// Without such processes, or on a kernel without the call, it does nothing.
func Barrier() { membarrier(membarrierGlobalExpedited) }

func membarrier(command uintptr) (uintptr, error) {
	r, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, command, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}
