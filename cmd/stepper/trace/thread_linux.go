//go:build amd64

package trace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ErrDenied is returned when the system does not let this process trace another one
// of its own user.
var ErrDenied = errors.New("ptrace is not permitted here; it takes CAP_SYS_PTRACE, or kernel.yama.ptrace_scope below 1, and a seccomp profile that allows it")

// ErrEnded is returned when the traced process ended.
var ErrEnded = errors.New("traced process ended")

// Thread is a seized thread that stands still, as all others of its process do.
type Thread struct {
	pid, tid int
	others   []int
	Regs     unix.PtraceRegs // as of the last stop
	Call     int             // number of the last system call, after one
}

// Seize takes hold of thread tid of process pid and of all its other threads, once
// every one of them sleeps in the kernel. All of them stand still when it returns.
// Errors wrap ErrDenied or ErrEnded.
func Seize(pid, tid int) (*Thread, error) {
	t := &Thread{pid: pid, tid: tid}
	if err := awaitSleep(pid); err != nil {
		return nil, err
	}
	all, err := threads(pid)
	if err != nil {
		return nil, err
	}
	for _, id := range all {
		if err := seize(id); err != nil {
			return nil, err
		}
		if id != tid {
			t.others = append(t.others, id)
		}
	}
	for _, id := range all {
		if err := halt(id); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func seize(tid int) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, unix.PTRACE_O_EXITKILL, 0, 0)
	switch errno {
	case 0:
		return nil
	case unix.EPERM, unix.ENOSYS:
		return fmt.Errorf("seize thread %d: %w: %w", tid, errno, ErrDenied)
	}
	return fmt.Errorf("seize thread %d: %w", tid, errno)
}

// halt interrupts a thread that was just seized.
func halt(tid int) error {
	if err := unix.PtraceInterrupt(tid); err != nil {
		return fmt.Errorf("interrupt thread %d: %w", tid, err)
	}
	status, err := wait(tid)
	if err != nil {
		return err
	}
	if !status.Stopped() {
		return fmt.Errorf("interrupt thread %d: %w", tid, ErrEnded)
	}
	return nil
}

// wait waits for a change of thread tid. The end of any other thread that this one
// traces means the end of their process: the kernel tells of the first thread only
// after all others were waited for.
func wait(tid int) (unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		id, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("wait for thread %d: %w", tid, err)
		case id == tid:
			return status, nil
		case !status.Stopped():
			return status, nil
		}
	}
}

func threads(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil, fmt.Errorf("list threads: %w: %w", err, ErrEnded)
	}
	var all []int
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, id)
		}
	}
	return all, nil
}

// A process has settled when every thread was asleep at a number of looks in a row, over
// a time in which the runtime's monitor takes the right to run from a thread that waits
// in a system call. On a busy machine a look takes long, and a writer wakes up ten times
// a second: more looks than these would hardly ever be in a row there.
const (
	settledTime  = 30 * time.Millisecond
	settledLooks = 3
	unsettled    = 3 * time.Minute // a process that never settles
)

// awaitSleep waits until every thread of pid sleeps in the kernel and goes on doing
// so.
func awaitSleep(pid int) error {
	began, quiet := time.Now(), 0
	for since := began; quiet < settledLooks || time.Since(since) < settledTime; time.Sleep(time.Millisecond) {
		asleep, err := allAsleep(pid)
		switch {
		case err != nil:
			return err
		case time.Since(began) > unsettled:
			return fmt.Errorf("the threads of process %d were never all asleep for %v in %v: is the machine overloaded?", pid, settledTime, unsettled)
		case !asleep:
			quiet = 0
			continue
		case quiet == 0:
			since = time.Now()
		}
		quiet++
	}
	return nil
}

func allAsleep(pid int) (bool, error) {
	all, err := threads(pid)
	for _, id := range all {
		if state(pid, id) != 'S' {
			return false, err
		}
	}
	return true, err
}

// state is the letter of /proc/PID/task/TID/stat, 0 if the thread is gone.
func state(pid, tid int) byte {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid))
	if err != nil {
		return 0
	}
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == ')' && i+2 < len(text) { // the name may hold any byte
			return text[i+2]
		}
	}
	return 0
}

// Stop says why the thread stands still.
type Stop struct {
	Mark unix.Signal // MarkNext, MarkEnd, or 0: one instruction was executed
}

// Step executes one instruction.
func (t *Thread) Step() (Stop, error) {
	t.Call = int(t.Regs.Rax)
	return t.resume(unix.PTRACE_SINGLESTEP)
}

// Run executes instructions until the next mark.
func (t *Thread) Run() (Stop, error) {
	return t.resume(unix.PTRACE_CONT)
}

// resume lets the thread go on and returns at a mark, or after an instruction. Other
// signals are delivered.
func (t *Thread) resume(request uintptr) (Stop, error) {
	signal := unix.Signal(0)
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, request, uintptr(t.tid), 0, uintptr(signal), 0, 0)
		if errno != 0 {
			return Stop{}, fmt.Errorf("resume thread %d: %w", t.tid, errno)
		}
		status, err := wait(t.tid)
		if err != nil {
			return Stop{}, err
		}
		if !status.Stopped() {
			return Stop{}, fmt.Errorf("thread %d: %w", t.tid, ErrEnded)
		}
		switch signal = status.StopSignal(); {
		case signal == MarkNext || signal == MarkEnd:
			return Stop{Mark: signal}, t.look()
		case signal == unix.SIGTRAP && status.TrapCause() <= 0:
			return Stop{}, t.look()
		case signal == unix.SIGTRAP:
			signal = 0 // an event, not a signal
		}
	}
}

func (t *Thread) look() error {
	if err := unix.PtraceGetRegs(t.tid, &t.Regs); err != nil {
		return fmt.Errorf("registers of thread %d: %w", t.tid, err)
	}
	return nil
}

// AfterCall reports whether the last instruction was a system call: the processor
// leaves the address behind it in rcx.
func (t *Thread) AfterCall() bool { return t.Regs.Rcx == t.Regs.Rip }

// Thaw lets every other thread go on.
func (t *Thread) Thaw() error {
	for _, id := range t.others {
		if err := unix.PtraceDetach(id); err != nil {
			return fmt.Errorf("detach thread %d: %w", id, err)
		}
	}
	t.others = nil
	return nil
}

// Free lets the whole process go on, untraced.
func (t *Thread) Free() error {
	if err := t.Thaw(); err != nil {
		return err
	}
	if err := unix.PtraceDetach(t.tid); err != nil {
		return fmt.Errorf("detach thread %d: %w", t.tid, err)
	}
	return nil
}

// Kill ends process pid with SIGKILL, wherever its threads stand, and waits for the
// end of all of them.
func Kill(pid int) {
	unix.Kill(pid, unix.SIGKILL)
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}
