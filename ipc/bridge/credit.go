package bridge

import "sync/atomic"

// credit bounds the results owed to one client: those of chunks that are on their
// way through the rings and those that wait to be sent. One goroutine takes,
// others return.
type credit struct {
	most    int64
	owed    atomic.Int64
	waiting atomic.Bool
	freed   chan struct{}
}

func newCredit(mostBytes uint64) credit {
	return credit{most: int64(mostBytes), freed: make(chan struct{}, 1)}
}

// try takes n bytes if they fit. A client to which nothing is owed gets any amount,
// so that a chunk whose results exceed the bound passes alone.
func (c *credit) try(n int64) bool {
	if owed := c.owed.Load(); owed > 0 && owed+n > c.most {
		return false
	}
	c.owed.Add(n)
	return true
}

// await takes n bytes once they fit; false means that quit was closed before.
func (c *credit) await(n int64, quit <-chan struct{}) bool {
	if c.try(n) {
		return true
	}
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	for !c.try(n) {
		select {
		case <-c.freed:
		case <-quit:
			return false
		}
	}
	return true
}

// give returns n bytes. A stage that answers more than was asked returns more than
// was taken; the account does not go below zero.
func (c *credit) give(n int64) {
	if left := c.owed.Add(-n); left < 0 {
		c.owed.CompareAndSwap(left, 0)
	}
	if !c.waiting.Load() {
		return
	}
	select {
	case c.freed <- struct{}{}:
	default:
	}
}
