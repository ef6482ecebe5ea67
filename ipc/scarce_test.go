//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleScarce allows itself one more descriptor each time, and makes and reads a
// ring. Whatever fails must leave no file and no descriptor.
func roleScarce(args []string) error {
	dir := args[0]
	if err := startPoller(); err != nil {
		return err
	}
	if err := fillHoles(); err != nil {
		return err
	}
	clean, err := openDescriptors()
	if err != nil {
		return err
	}
	for extra, ok := 0, false; !ok; extra++ {
		if extra > 100 {
			return errors.New("100 descriptors are not enough")
		}
		if err := limitDescriptors(clean + extra); err != nil {
			return err
		}
		ok, err = makeAndRead(dir)
		if !ok && !errors.Is(err, unix.EMFILE) && !errors.Is(err, errHangup) && !errors.Is(err, ErrHandshake) && !errors.Is(err, ErrRefused) {
			return fmt.Errorf("with %d descriptors: %w", extra, err)
		}
		if err := limitDescriptors(1000); err != nil {
			return err
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 0 {
			return fmt.Errorf("with %d descriptors: left %v, %w", extra, entries, err)
		}
		if n, err := openDescriptors(); err != nil || n != clean {
			return fmt.Errorf("with %d descriptors: %d were open, now %d, %w", extra, clean, n, err)
		}
	}
	return nil
}

// startPoller makes the runtime open its own descriptors now: it ends the process
// when it needs them first and finds none.
func startPoller() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	return errors.Join(r.Close(), w.Close())
}

// fillHoles leaves no number free below the highest descriptor, which the process may
// have inherited: a limit counts numbers, not descriptors.
func fillHoles() error {
	highest, err := openDescriptors()
	for fd := 0; err == nil && fd < highest; {
		fd, err = unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	}
	return err
}

// makeAndRead must not wait: nobody gives a descriptor back meanwhile.
func makeAndRead(dir string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w, err := Listen(ctx, "x", WriterConfig{Dir: dir, Capacity: 1 << 16, FreeRun: true})
	if err != nil {
		return false, err
	}
	ok, err := readNothing(ctx, dir)
	return ok, errors.Join(err, w.Close(ctx))
}

func readNothing(ctx context.Context, dir string) (bool, error) {
	r, err := Dial(ctx, "x", ReaderConfig{Dir: dir, NoWait: true})
	if err != nil {
		return false, err
	}
	return true, r.Close()
}

// openDescriptors counts up to the highest descriptor that is open, as the limit
// does.
func openDescriptors() (int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	highest := 0
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			return 0, err
		}
		if _, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil {
			highest = max(highest, n+1)
		}
	}
	return highest, err
}

func limitDescriptors(n int) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return err
	}
	r.Cur = uint64(n)
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &r)
}

// Check that a lack of descriptors at any point of making, dialling and accepting
// is an error and leaves nothing.
func TestScarceDescriptors(t *testing.T) {
	spawn(t, "scarce", testDir(t)).wait()
}
