package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Unpinned as a Seat's CPU leaves the process to the scheduler.
const Unpinned = -1

// Seat is one process of a job.
type Seat struct {
	Role string // a key of the map given to Serve
	CPU  int    // the only CPU it runs on, or Unpinned
}

// Job is one piece of work for several processes at once.
type Job struct {
	Seats []Seat

	// SharedBytes is the size of the memory they share; 0 means none.
	SharedBytes int

	// Sockets gives the first two seats the ends of a SOCK_SEQPACKET pair.
	Sockets bool

	// PinLate lets the sides pin themselves once they run. A process that is
	// pinned before counts one CPU, and a ring does not spin then, for it cannot
	// know that its partner has another one.
	PinLate bool

	// Params travel to every side as JSON.
	Params any
}

// Carry starts the processes of job, waits for all of them and decodes what
// the first seat returned into reply, a pointer or nil. When one side fails
// or ctx ends, the others are killed: they may be spinning for a peer that is
// gone. The sides also die with this process.
func (h *Host) Carry(ctx context.Context, job Job, reply any) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	crew, err := h.start(ctx, job)
	ends := make(chan error)
	for _, m := range crew {
		go func() { ends <- m.wait() }()
	}
	if err != nil {
		cancel(err)
	}
	for range crew {
		if end := <-ends; end != nil {
			cancel(end)
		}
	}
	for _, m := range crew {
		h.usedByJobs += m.used()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(crew[0].stdout.Bytes(), reply); err != nil {
		return fmt.Errorf("decode the reply of role %q: %w", job.Seats[0].Role, err)
	}
	return nil
}

// member is one running side.
type member struct {
	index  int
	role   string
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// start starts the sides in order; with an error it also returns those that
// run already.
func (h *Host) start(ctx context.Context, job Job) ([]*member, error) {
	if len(job.Seats) == 0 || len(job.Seats) > maxSides {
		return nil, fmt.Errorf("start a job of %d sides: 1 to %d are possible", len(job.Seats), maxSides)
	}
	params, err := json.Marshal(job.Params)
	if err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	shared, err := createShared(h.Dir, meetingBytes+job.SharedBytes)
	if err != nil {
		return nil, err
	}
	defer shared.Close()
	sockets, err := jobSockets(job)
	if err != nil {
		return nil, err
	}
	defer closeAll(sockets)

	var crew []*member
	for i, seat := range job.Seats {
		m := &member{index: i, role: seat.Role}
		a := assignment{Role: seat.Role, Index: i, Count: len(job.Seats), SharedBytes: job.SharedBytes, PinTo: Unpinned, Params: params}
		if job.PinLate {
			a.PinTo, seat.CPU = seat.CPU, Unpinned
		}
		files := []*os.File{shared}
		if i < len(sockets) {
			files, a.Socket = append(files, sockets[i]), true
		}
		if err := m.start(ctx, h, seat.CPU, a, files); err != nil {
			return crew, err
		}
		crew = append(crew, m)
	}
	return crew, nil
}

// jobSockets are the two ends of the pair, or none.
func jobSockets(job Job) ([]*os.File, error) {
	if !job.Sockets {
		return nil, nil
	}
	return socketPair()
}

func closeAll[C io.Closer](closers []C) {
	for _, c := range closers {
		c.Close()
	}
}

// start runs the side on cpu with files as its descriptors from 3 on.
func (m *member) start(ctx context.Context, h *Host, cpu int, a assignment, files []*os.File) error {
	encoded, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode the part of side %d: %w", m.index, err)
	}
	m.cmd = exec.CommandContext(ctx, h.Program, h.Args...)
	m.cmd.Env = append(os.Environ(), assignmentVariable+"="+string(encoded))
	m.cmd.Stdout, m.cmd.Stderr = &m.stdout, &m.stderr
	m.cmd.ExtraFiles = files
	if err := startOn(m.cmd, cpu); err != nil {
		return fmt.Errorf("start side %d as %q on CPU %d: %w", m.index, m.role, cpu, err)
	}
	return nil
}

// used is the CPU time of a side that has ended.
func (m *member) used() time.Duration {
	if m.cmd.ProcessState == nil {
		return 0
	}
	return m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime()
}

// wait waits for the side's end; its last words become part of the error.
func (m *member) wait() error {
	err := m.cmd.Wait()
	if err == nil {
		return nil
	}
	if words := bytes.TrimSpace(m.stderr.Bytes()); len(words) > 0 {
		err = fmt.Errorf("%w: %s", err, words)
	}
	return fmt.Errorf("side %d as %q: %w", m.index, m.role, err)
}
