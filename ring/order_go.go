//go:build (!amd64 && !arm64) || noasm || race

package ring

import (
	"runtime"
	"sync/atomic"
)

// The same operations in plain Go: sequentially consistent, which is stronger
// than needed, and visible to the race detector.

func storeRelease(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

func storeCommit(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

func storePlain(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

func prefetchWrite(*uint64, int) {}

// fence orders through a locked operation on a word of its own.
func fence() {
	var word uint64
	atomic.AddUint64(&word, 1)
}

func loadFence() {
	var word uint64
	atomic.AddUint64(&word, 1)
}

func pause(n int) {
	for range n {
		runtime.Gosched()
	}
}

func pauseWhile(p *uint64, old uint64, n int) uint64 {
	for range n {
		if v := atomic.LoadUint64(p); v != old {
			return v
		}
		runtime.Gosched()
	}
	return atomic.LoadUint64(p)
}
