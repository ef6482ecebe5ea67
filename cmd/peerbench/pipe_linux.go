package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// connectPipe joins the sides by two pipes. Side 0 makes them with os.Pipe and
// passes the ends of side 1 through the socket pair of the job.
func connectPipe(e end) (link, error) {
	if !e.isCaller() {
		return receivePipe(e.Socket)
	}
	forthReader, forthWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	backReader, backWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if err := passFiles(e.Socket, forthReader, backWriter); err != nil {
		return nil, err
	}
	return newByteStream(backReader, forthWriter, backReader, forthWriter), nil
}

// passFiles sends the descriptors of files over socket and closes them.
func passFiles(socket int, files ...*os.File) error {
	var errs []error
	var descriptors []int
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		errs = append(errs, raw.Control(func(fd uintptr) { descriptors = append(descriptors, int(fd)) }))
	}
	errs = append(errs, unix.Sendmsg(socket, []byte{0}, unix.UnixRights(descriptors...), nil, 0))
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// receivePipe takes the reading end of one pipe and the writing end of the
// other.
func receivePipe(socket int) (link, error) {
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(2*4))
	_, controlBytes, _, _, err := unix.Recvmsg(socket, data, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("receive the ends of the pipes: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:controlBytes])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("receive the ends of the pipes: %d control messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 2 {
		return nil, fmt.Errorf("receive the ends of the pipes: %d descriptors: %w", len(fds), err)
	}
	// They are non-blocking since os.Pipe, so that the netpoller takes them.
	reader, writer := os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1")
	return newByteStream(reader, writer, reader, writer), nil
}
