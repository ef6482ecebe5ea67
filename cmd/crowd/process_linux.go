package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is a process of the round.
type child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said chan string // what its stderr says of its address
	errs bytes.Buffer
	done chan struct{}
}

// begin starts a process in the ring directory dir. It ends with this one.
func begin(dir, name, program string, args ...string) (*child, error) {
	c := &child{name: name, cmd: exec.Command(program, args...), said: make(chan string, 1), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), "NDRING_DIR="+dir)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	errs, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w; build it first: make build", name, err)
	}
	go c.listen(errs)
	return c, nil
}

// listen keeps the first lines of what a process says and finds its address.
func (c *child) listen(errs io.Reader) {
	defer close(c.done)
	for s := bufio.NewScanner(errs); s.Scan(); {
		if c.errs.Len() < 4<<10 {
			c.errs.WriteString(s.Text() + "\n")
		}
		_, rest, ok := strings.Cut(s.Text(), "listening on ")
		if address, _, found := strings.Cut(rest, ","); ok && found {
			c.said <- address
		}
	}
	close(c.said)
}

// address waits until a bridge says where it listens.
func (c *child) address(ctx context.Context) (string, error) {
	select {
	case a, ok := <-c.said:
		if !ok {
			return "", fmt.Errorf("%s ended: %s", c.name, c.errs.String())
		}
		return a, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// end interrupts the process and waits for it.
func (c *child) end() error {
	_ = c.in.Close()
	_ = c.cmd.Process.Signal(os.Interrupt)
	watchdog := time.AfterFunc(30*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer watchdog.Stop()
	<-c.done
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, c.errs.String())
	}
	return nil
}

// residentBytes is the memory a process holds.
func (c *child) residentBytes() (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	const resident, shared = 1, 2
	all, err := strconv.ParseUint(fields[resident], 10, 64)
	if err != nil {
		return 0, err
	}
	files, err := strconv.ParseUint(fields[shared], 10, 64)
	if err != nil {
		return 0, err
	}
	return (all - files) * uint64(os.Getpagesize()), nil
}

func (c *child) descriptors() (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid))
	return len(entries), err
}
