//go:build amd64

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/cmd/stepper/trace"
)

// partVar names, in the environment of a copy of this program, the part it plays:
// it then reads its arguments as that part.
const partVar = "NDRING_STEPPER_PART"

// parts are what a copy of this program can be.
func parts() map[string]func([]string) error {
	return map[string]func([]string) error{
		"play":   partPlay,
		"live":   partLive,
		"listen": partListen,
		"serve":  partServe,
		"close":  partClose,
		"read":   partRead,
	}
}

// playPart plays the part that the environment names, if any.
func playPart() (played bool, err error) {
	part, ok := parts()[os.Getenv(partVar)]
	if !ok {
		return false, nil
	}
	return true, part(os.Args[1:])
}

// child is a copy of this program whose main goroutine is to be stepped.
type child struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
	pid    int
	tid    int
	number uint64 // of the frame it writes first
	thread *trace.Thread
	ended  bool
	limit  *time.Timer // ends a child that got stuck
}

// childLimit is how long a child may take; then it counts as stuck and is killed, which
// whoever waits for it is told as its end.
const childLimit = 4 * time.Minute

// start starts a part and waits until it says that it is ready. The caller's
// goroutine is locked to its thread: the child dies with that.
func start(part string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command("/proc/self/exe", args...)}
	c.cmd.Env = append(os.Environ(), partVar+"="+part, "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a copy of this program: %w", err)
	}
	c.limit = time.AfterFunc(childLimit, func() { c.cmd.Process.Kill() })
	c.output = bufio.NewReader(output)
	if err := c.greet(); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

func (c *child) greet() error {
	line, err := c.output.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, "ready %d %d %d", &c.pid, &c.tid, &c.number)
	}
	if err != nil {
		return fmt.Errorf("copy of this program said %q: %w", line, err)
	}
	return nil
}

// seize takes hold of the child's stepped thread and brings it to its first mark.
func (c *child) seize() (err error) {
	if c.thread, err = trace.Seize(c.pid, c.tid); err != nil {
		return err
	}
	if err := c.say(); err != nil {
		return err
	}
	_, err = c.thread.Run()
	return err
}

// say lets a child that waits go on.
func (c *child) say() error {
	_, err := c.input.Write([]byte{'\n'})
	return err
}

// end kills the child, if it still lives, and waits for its end.
func (c *child) end() {
	if c.ended {
		return
	}
	c.ended = true
	c.limit.Stop()
	trace.Kill(c.cmd.Process.Pid)
	c.cmd.Wait()
}

// finish waits for the child to end well.
func (c *child) finish() error {
	if err := c.thread.Free(); err != nil {
		return err
	}
	c.ended = true
	c.limit.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("copy of this program: %w", err)
	}
	return nil
}

// ready says that this part is set up, to go on with a frame number, and waits until
// it may.
func ready(m trace.Marker, number uint64) error {
	fmt.Println("ready", m.PID, m.TID, number)
	var b [1]byte
	_, err := os.Stdin.Read(b[:])
	return err
}

// partPlay plays script NUMBER in directory DIR.
func partPlay(args []string) error {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	m := trace.NewMarker()
	s := script.All()[number]
	p, err := script.NewPlayer(s, args[1])
	if err != nil {
		return err
	}
	if err := ready(m, 0); err != nil {
		return err
	}
	if err := p.Play(s, func() { m.Mark(trace.MarkNext) }); err != nil {
		return err
	}
	m.Mark(trace.MarkEnd)
	return nil
}
