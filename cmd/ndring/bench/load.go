package bench

import (
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// foreignShare of one CPU, spent by other programs or taken by other guests of
	// the host while a figure is measured, disturbs the round.
	foreignShare = 0.1

	// clockTick is the unit of /proc/stat; what is smaller cannot be seen in it.
	clockTick = 10 * time.Millisecond

	// foreignSlack is allowed on top, for the error of that clock on each CPU.
	foreignSlack = 3 * clockTick
)

// usage is how much CPU time has been spent up to a moment.
type usage struct {
	at   time.Time
	busy time.Duration // by everybody, on all CPUs, time stolen by the host included
	own  time.Duration // by sides that have ended, and by this process
}

// usage looks at the clocks. This process counts with the sides: to remove a ring of 1 GiB takes it some 150 ms.
func (h *Host) usage() usage {
	return usage{at: time.Now(), busy: busyTime(), own: h.usedByJobs + processTime()}
}

// disturbed reports whether others used so much CPU time between two moments that
// what was measured meanwhile does not count.
func disturbed(before, after usage) bool {
	foreign := (after.busy - before.busy) - (after.own - before.own)
	return foreign > foreignSlack+time.Duration(foreignShare*float64(after.at.Sub(before.at)))
}

// busyTime sums the CPU time of all kinds but idling; 0 when the kernel does not
// tell.
func busyTime() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const user, idle, ioWait, steal = 1, 4, 5, 8
	var ticks int64
	for i := user; i <= steal && i < len(fields); i++ {
		if n, err := strconv.ParseInt(fields[i], 10, 64); err == nil && i != idle && i != ioWait {
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick
}

// loadAverage is the kernel's, over the last minute; 0 when it does not tell.
func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}
