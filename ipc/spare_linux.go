package ipc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// spare is a descriptor kept for the time when the process can open no other: given
// up, it lets the server accept a client to tell it so. Without it such a client would
// wait for an answer for as long as the process has none left.
type spare struct{ fd int }

const noSpare = -1

// keep opens the descriptor, a copy of any other, if it is not open.
func (s *spare) keep(of int) error {
	if s.fd != noSpare {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(of), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep a descriptor in reserve: %w", err)
	}
	s.fd = fd
	return nil
}

// give closes the descriptor and reports whether there was one.
func (s *spare) give() bool {
	if s.fd == noSpare {
		return false
	}
	unix.Close(s.fd)
	s.fd = noSpare
	return true
}
