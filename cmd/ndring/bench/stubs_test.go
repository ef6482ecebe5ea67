package bench

import "testing"

// Check that a wait ends with what it saw: at once on the wanted word, after
// its looks on another, and that one look is enough for both.
func TestAwaitWord(t *testing.T) {
	var w uint64
	for _, looks := range []uint64{1, 2, 64} {
		storeRelease(&w, 7)
		if !awaitWord(&w, 7, looks) {
			t.Errorf("%d looks did not see the word", looks)
		}
		if awaitWord(&w, 8, looks) {
			t.Errorf("%d looks saw a word that is not there", looks)
		}
		if awaitWord(&w, 7|1<<63, looks) {
			t.Errorf("%d looks ignored the upper half", looks)
		}
	}
}

// Check that both stores write their word and nothing beside it.
func TestStores(t *testing.T) {
	var s slot
	storeRelease(&s[1], 1<<63|5)
	commitSlot(&s[3], 1<<62|6)
	if s != (slot{1: 1<<63 | 5, 3: 1<<62 | 6}) {
		t.Errorf("words are %x", s)
	}
}

// Check that the counter moves forward and that a pause takes some of it.
func TestTickClock(t *testing.T) {
	c := newTickClock()
	before := c.now()
	for range 1000 {
		pause(64)
	}
	after := c.now()
	if after <= before || c.ns(after-before) <= 0 {
		t.Errorf("the clock went from %d to %d, %v ns a tick", before, after, c.nsPerTick)
	}
}
