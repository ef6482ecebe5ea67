package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// pinProcess restricts every thread of this process to cpu; threads started
// later inherit it. It looks again until there is no thread it has not seen.
func pinProcess(cpu int) error {
	var only unix.CPUSet
	only.Set(cpu)
	seen := map[int]bool{}
	for {
		before := len(seen)
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list the threads: %w", err)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || seen[tid] {
				continue
			}
			if err := unix.SchedSetaffinity(tid, &only); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("pin thread %d to CPU %d: %w", tid, cpu, err)
			}
			seen[tid] = true
		}
		if len(seen) == before {
			return nil
		}
	}
}
