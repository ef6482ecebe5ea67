//go:build amd64

package trace

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// looks is how often Waiting looks for a thread that may be awake just then.
const looks = 20

// Waiting finds the thread of pid that sleeps in the system call of that number with
// that third argument.
func Waiting(pid, call int, third uint64) (tid int, err error) {
	for range looks {
		if err := awaitSleep(pid); err != nil {
			return 0, err
		}
		all, err := threads(pid)
		if err != nil {
			return 0, err
		}
		for _, id := range all {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, id))
			if err != nil {
				return 0, fmt.Errorf("%w: %w", err, ErrDenied)
			}
			fields := strings.Fields(string(text))
			if len(fields) > 3 && fields[0] == strconv.Itoa(call) && fields[3] == fmt.Sprintf("%#x", third) {
				return id, nil
			}
		}
	}
	return 0, fmt.Errorf("no thread of process %d sleeps in system call %d", pid, call)
}
