package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// usableCPUs are the CPUs this process may run on, ascending.
func usableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("read the CPU affinity: %w", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// startOn starts cmd on one CPU, or anywhere when cpu is Unpinned. The
// affinity is that of the thread that forks and is inherited over exec, so
// all threads of the new process have it, and its Go runtime counts one CPU.
// The process is killed when the forking thread ends, hence with this one.
func startOn(cmd *exec.Cmd, cpu int) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if cpu == Unpinned {
		return cmd.Start()
	}
	runtime.LockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("read the CPU affinity: %w", err)
	}
	only.Set(cpu)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("pin to CPU %d: %w", cpu, err)
	}
	startErr := cmd.Start()
	if err := unix.SchedSetaffinity(0, &before); err != nil {
		return fmt.Errorf("restore the CPU affinity: %w", err) // the thread stays locked and is not used again
	}
	runtime.UnlockOSThread()
	return startErr
}

// settleOn pins every thread of this process to cpu, and hence those that they
// start later; Unpinned leaves them where they are. The Go runtime keeps the
// number of CPUs it counted at first.
func settleOn(cpu int) error {
	if cpu == Unpinned {
		return nil
	}
	runtime.GOMAXPROCS(runtime.NumCPU()) // or it would follow the affinity
	var only unix.CPUSet
	only.Set(cpu)
	for pinned := -1; ; {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("pin to CPU %d: %w", cpu, err)
		}
		if len(threads) == pinned {
			return nil
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err == nil {
				err = unix.SchedSetaffinity(id, &only)
			}
			if err != nil && err != unix.ESRCH { // the thread has ended
				return fmt.Errorf("pin thread %q to CPU %d: %w", t.Name(), cpu, err)
			}
		}
		pinned = len(threads)
	}
}
