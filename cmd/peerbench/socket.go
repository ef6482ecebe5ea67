package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
)

const (
	prefixBytes     = 4        // length of a frame on a byte stream
	headroomBytes   = 8        // before a frame in its buffer, to keep it aligned
	collectBytes    = 64 << 10 // buffer of a reader, and of a writer that collects
	streamFrameMost = 1 << 30  // a longer length is not one
	unixSocketFile  = "unix.sock"
)

// byteStream carries frames over two byte streams, each frame after its
// length. A frame is written in one call, or collected with others.
type byteStream struct {
	r       *bufio.Reader
	w       io.Writer
	collect *bufio.Writer // w, if it collects
	closers []io.Closer

	out, in []byte // buffers that grow once
	pending int
}

func newByteStream(r io.Reader, w io.Writer, closers ...io.Closer) *byteStream {
	return &byteStream{r: bufio.NewReaderSize(r, collectBytes), w: w, closers: closers}
}

func (s *byteStream) buffer(n int) ([]byte, error) {
	s.out = grown(s.out, headroomBytes+n)
	s.pending = n
	return s.out[headroomBytes : headroomBytes+n], nil
}

func (s *byteStream) send() error {
	prefix := s.out[headroomBytes-prefixBytes:]
	binary.LittleEndian.PutUint32(prefix, uint32(s.pending))
	_, err := s.w.Write(prefix[:prefixBytes+s.pending])
	return err
}

func (s *byteStream) flush() error {
	if s.collect == nil {
		return nil
	}
	return s.collect.Flush()
}

func (s *byteStream) receive() ([]byte, error) {
	prefix, err := s.r.Peek(prefixBytes)
	if err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(prefix))
	if n < numberBytes || n > streamFrameMost {
		return nil, errShort(n)
	}
	if _, err := s.r.Discard(prefixBytes); err != nil {
		return nil, err
	}
	s.in = grown(s.in, n)
	_, err = io.ReadFull(s.r, s.in[:n])
	return s.in[:n], err
}

func (s *byteStream) close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// grown is b with at least n bytes; what it held is dropped if it grows.
func grown(b []byte, n int) []byte {
	if len(b) < n {
		return make([]byte, n)
	}
	return b
}

// connectUnix is a stream socket as net.Conn: one write a frame.
func connectUnix(e end) (link, error) {
	conn, err := unixConn(e)
	if err != nil {
		return nil, err
	}
	return newByteStream(conn, conn, conn), nil
}

// connectUnixCollected is the same with frames collected to 64 KiB a write.
func connectUnixCollected(e end) (link, error) {
	conn, err := unixConn(e)
	if err != nil {
		return nil, err
	}
	return withCollector(newByteStream(conn, conn, conn), conn), nil
}

// withCollector lets s collect what it writes to w.
func withCollector(s *byteStream, w io.Writer) *byteStream {
	s.collect = bufio.NewWriterSize(w, collectBytes)
	s.w = s.collect
	return s
}

// unixConn listens as side 1 and dials as side 0.
func unixConn(e end) (net.Conn, error) {
	path := filepath.Join(e.dir, unixSocketFile)
	if e.isCaller() {
		e.Meet()
		return net.Dial("unix", path)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	e.Meet()
	conn, err := l.Accept()
	if err != nil {
		return nil, fmt.Errorf("accept side 0: %w", err)
	}
	return conn, nil
}
