package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ndring/ndring/cmd/torture/role"
)

// process is one life of an actor.
type process struct {
	*os.Process
	done  chan struct{} // closed when it has been waited for
	state *os.ProcessState
}

// PlayArgument is the first argument of a process that plays a part; the second is
// the part.
const PlayArgument = "play"

// play starts the laboratory's own program in a part.
func play(part *role.Part, files []*os.File) (*process, error) {
	text, err := json.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("encode part: %w", err)
	}
	return launch([]string{"/proc/self/exe", PlayArgument, string(text)}, part.Dir, files)
}

// launch starts a program with files as its descriptors from 0 on and dir as its ring
// directory. It dies with the laboratory.
func launch(argv []string, dir string, files []*os.File) (*process, error) {
	p, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Env: append(os.Environ(), "NDRING_DIR="+dir), Files: files, Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	proc := &process{Process: p, done: make(chan struct{})}
	go func() {
		defer close(proc.done)
		proc.state, _ = p.Wait() // a nil state is no success
	}()
	return proc, nil
}

// kill ends the process with SIGKILL and waits for its end. It reports whether the
// process died of it.
func (p *process) kill() bool {
	_ = p.Process.Kill() // it may have ended
	<-p.done
	return p.state != nil && !p.state.Exited()
}

func (p *process) stop()      { _ = p.Signal(unix.SIGSTOP) } // it may have ended
func (p *process) goOn()      { _ = p.Signal(unix.SIGCONT) }
func (p *process) ask()       { _ = p.Signal(unix.SIGINT) }
func (p *process) well() bool { return p.state != nil && p.state.Success() }

// trace has a process print its goroutines and end. It may have ended.
func trace(pid int) { _ = unix.Kill(pid, unix.SIGQUIT) }

// errNoConnection is returned when a process has no control connection now.
var errNoConnection = errors.New("no control connection")

// cut shuts the process's control connections down, as no well-behaved peer does.
func (p *process) cut() error {
	pidfd, err := unix.PidfdOpen(p.Pid, 0)
	if err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	defer unix.Close(pidfd)
	folder := fmt.Sprintf("/proc/%d/fd/", p.Pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	cut := 0
	for _, e := range entries {
		to, _ := os.Readlink(folder + e.Name())
		n, err := strconv.Atoi(e.Name())
		if err != nil || !strings.HasPrefix(to, "socket:") {
			continue
		}
		done, err := cutSocket(pidfd, n)
		if err != nil {
			return err
		}
		if done {
			cut++
		}
	}
	if cut == 0 {
		return errNoConnection
	}
	return nil
}

// cutSocket shuts descriptor n of a process down if it is a control connection. The
// error says that this process may not reach into that one.
func cutSocket(pidfd, n int) (bool, error) {
	fd, err := unix.PidfdGetfd(pidfd, n, 0)
	if err == unix.EPERM || err == unix.ENOSYS {
		return false, fmt.Errorf("duplicate a descriptor of another process: %w", err)
	}
	if err != nil {
		return false, nil // closed meanwhile, or the process has ended
	}
	defer unix.Close(fd)
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	listens, failed := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || failed != nil || kind != unix.SOCK_SEQPACKET || listens != 0 {
		return false, nil
	}
	return unix.Shutdown(fd, unix.SHUT_RDWR) == nil, nil
}

// children lists the processes that this one started and that were not waited for.
func children() []int {
	var pids []int
	procs, _ := os.ReadDir("/proc")
	for _, e := range procs {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile("/proc/" + e.Name() + "/stat")
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}
