package feed

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/proto/npy"
	"golang.org/x/sys/unix"
)

// lookIntervalMs is how often a read that gets nothing looks for the end of its
// context.
const lookIntervalMs = 100

// input reads a file that may never give anything, as a terminal or a pipe does,
// until the context ends. The file's own mode stays as it is: other processes may
// share it.
type input struct {
	ctx  context.Context
	file *os.File
	raw  syscall.RawConn
}

// interruptible is r, whose reads end with the error of ctx when that ends. Readers
// that are no files are taken as they are.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	f, ok := r.(*os.File)
	if !ok {
		return r
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return r
	}
	return &input{ctx: ctx, file: f, raw: raw}
}

func (in *input) Read(p []byte) (int, error) {
	for {
		if err := in.ctx.Err(); err != nil {
			return 0, err
		}
		ready, err := in.ready()
		if err != nil {
			return 0, err
		}
		if ready {
			return in.file.Read(p)
		}
	}
}

// ready waits a little for something to read, an end or an error.
func (in *input) ready() (ready bool, err error) {
	broken := in.raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		var n int
		n, err = unix.Poll(fds, lookIntervalMs)
		ready = n > 0
		if err == unix.EINTR {
			err = nil
		}
	})
	if broken != nil {
		return false, broken
	}
	return ready, err
}

// openFile opens a file to read. A named pipe waits for its other end, until ctx
// ends; the open that is left behind then ends with the process.
func openFile(ctx context.Context, path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Mode()&fs.ModeNamedPipe == 0 {
		return os.Open(path)
	}
	type result struct {
		file *os.File
		err  error
	}
	opened := make(chan result, 1)
	go func() {
		f, err := os.Open(path)
		opened <- result{f, err}
	}()
	select {
	case r := <-opened:
		return r.file, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ReadNPY reads the array of a .npy file. Errors name the file, and are that of ctx
// when it ends first.
func ReadNPY(ctx context.Context, path string) (nd.Array, error) {
	f, err := openFile(ctx, path)
	if err != nil {
		return nd.Array{}, fmt.Errorf("npy: %w", err)
	}
	defer f.Close()
	a, err := npy.Read(interruptible(ctx, f))
	if err == io.EOF {
		err = fmt.Errorf("it is empty: %w", npy.ErrMagic)
	}
	if err != nil {
		return nd.Array{}, fmt.Errorf("npy file %s: %w", path, err)
	}
	return a, nil
}
