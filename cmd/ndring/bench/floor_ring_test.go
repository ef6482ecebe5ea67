package bench

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Check that a writer at a full ring leaves the oldest slot alone until the
// reader's position has passed it, and goes on then.
func TestWriterWaitsForRoom(t *testing.T) {
	const last = slotCount + 1
	var cursor uint64
	slots, done := new([slotCount]slot), make(chan struct{})
	go func() {
		defer close(done)
		writeSlots(&cursor, slots, 0, last)
	}()
	oldest := &slots[0][0]
	for atomic.LoadUint64(&slots[slotCount-1][0]) != slotCount {
		runtime.Gosched()
	}
	for range 20 {
		if frame := atomic.LoadUint64(oldest); frame != 1 {
			t.Errorf("slot 0 holds sequence %d while nothing is read, want 1", frame)
			return
		}
		pause(64)
		runtime.Gosched()
	}
	storeRelease(&cursor, 1)
	for atomic.LoadUint64(oldest) != last {
		runtime.Gosched()
	}
	storeRelease(&cursor, last)
	<-done
}

// Check that room begins one frame after a full ring, not at it.
func TestAwaitRoomAtTheBound(t *testing.T) {
	var cursor uint64
	if read := awaitRoom(&cursor, slotCount-1); read != 0 {
		t.Errorf("position is %d, want 0", read)
	}
	release := time.AfterFunc(time.Millisecond, func() { storeRelease(&cursor, 1) })
	defer release.Stop()
	if read := awaitRoom(&cursor, slotCount); read != 1 {
		t.Errorf("position is %d at a full ring, want 1", read)
	}
}
