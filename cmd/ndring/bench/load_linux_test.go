package bench

import (
	"testing"
	"time"
)

// Check that what this process spends itself, to remove large rings for instance, does not
// count as spent by others.
func TestOwnTimeIsNotForeign(t *testing.T) {
	const spent = 20 * time.Millisecond
	var host Host
	before := host.usage()
	for start := processTime(); processTime()-start < spent; {
	}
	if own := host.usage().own - before.own; own < spent {
		t.Errorf("own time grew by %v while this process spent %v", own, spent)
	}
}
