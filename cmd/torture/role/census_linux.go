package role

import (
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/page"
	"golang.org/x/sys/unix"
)

// census is what a process could leak.
type census [history.Goroutines + 1]int

// count takes the census of this process. The runtime's poller, which opens
// descriptors on first use, is started before.
func count() census {
	if r, w, err := os.Pipe(); err == nil {
		r.SetReadDeadline(time.Time{})
		r.Close()
		w.Close()
	}
	var c census
	c[history.Descriptors] = descriptors()
	maps, _ := os.ReadFile("/proc/self/maps")
	c[history.Mappings] = strings.Count(string(maps), " /dev/shm/")
	c[history.Goroutines] = runtime.NumGoroutine()
	return c
}

// descriptors counts the open descriptors, those below a bound no actor reaches.
func descriptors() int {
	n := 0
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}

// settleTime is how long goroutines that were told to end may take.
const settleTime = 3 * time.Second

// compare writes down what there is more of than before.
func compare(pg *page.Page, life uint32, before census) {
	after := count()
	for end := time.Now().Add(settleTime); after.exceeds(before) && time.Now().Before(end); after = count() {
		time.Sleep(time.Millisecond)
	}
	for i := range after {
		if after[i] > before[i] {
			pg.Write(history.Event{Kind: history.Leaked, Life: life, A: uint64(i), B: uint64(before[i]), C: uint64(after[i])})
		}
	}
}

func (c census) exceeds(before census) bool {
	for i := range c {
		if c[i] > before[i] {
			return true
		}
	}
	return false
}
