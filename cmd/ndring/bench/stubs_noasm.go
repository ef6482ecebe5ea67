//go:build noasm || !(amd64 || arm64)

package bench

import (
	"sync/atomic"
	"time"
)

// storeRelease stores v at p after everything stored before it.
func storeRelease(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// commitSlot is storeRelease; there is no prefetch in plain Go.
func commitSlot(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// awaitWord looks at p up to looks times and reports whether it saw want.
func awaitWord(p *uint64, want, looks uint64) bool {
	for range looks {
		if atomic.LoadUint64(p) == want {
			return true
		}
	}
	return false
}

// pause passes the time of about n turns of an empty loop.
func pause(n uint64) {
	for range n {
	}
}

// now is the time since the clock was made, in nanoseconds.
func (c tickClock) now() uint64 { return uint64(time.Since(c.start)) }
