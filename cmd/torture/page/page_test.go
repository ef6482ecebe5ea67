//go:build linux

package page

import (
	"testing"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
)

// pair is a page as laboratory and actor map it.
func pair(t *testing.T) (lab, actor *Page) {
	t.Helper()
	lab, f, err := Create("x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if actor, err = Open(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if lab.Close() != nil || actor.Close() != nil {
			t.Error("close")
		}
	})
	return lab, actor
}

// Check that the last entry can be extended until it is taken as final, and that no
// entry is taken twice or lost when the log goes round.
func TestLog(t *testing.T) {
	lab, actor := pair(t)
	const many = 3*entries + 7
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint64(many) {
			e := actor.Write(history.Event{Kind: history.Read, Life: 7, A: i})
			e.SetB(i + 1)
			e.SetC(i + 2)
		}
	}()
	var got []history.Event
	for len(got) < many-1 {
		got = append(got, lab.Take(false)...)
	}
	if more := lab.Take(false); len(more) > 0 {
		t.Errorf("the last entry was taken while it could be extended: %v", more)
	}
	<-done
	if got = append(got, lab.Take(true)...); len(got) != many {
		t.Fatalf("%d entries, want %d", len(got), many)
	}
	for i, e := range got {
		n := uint64(i)
		if want := (history.Event{Kind: history.Read, Life: 7, A: n, B: n + 1, C: n + 2}); e != want {
			t.Fatalf("entry %d is %+v, want %+v", i, e, want)
		}
	}
}

// Check that an actor stands still where the trap says, and nowhere else.
func TestTrap(t *testing.T) {
	lab, actor := pair(t)
	lab.Trap(Written | Padded)
	passed := make(chan State)
	go func() {
		for _, s := range []State{Claimed | Padded, Written, Written | Grouped, Written | Padded | Grouped, Committing} {
			actor.Enter(s)
			passed <- s
		}
	}()
	for range 3 {
		<-passed
	}
	for !lab.Lingering() {
		time.Sleep(time.Millisecond)
	}
	if s := lab.State(); s != Written|Padded|Grouped || s.String() != "written+padding+group" {
		t.Errorf("it stands still in %v", s)
	}
	lab.Trap(0)
	<-passed
	<-passed
	if lab.State() != Committing || lab.Lingering() {
		t.Errorf("it is in %v", lab.State())
	}
}

// Check that an actor tells the end of the wait that it was asked about, however short
// it was, and of none after it.
func TestResume(t *testing.T) {
	lab, actor := pair(t)
	actor.Resume()
	if at := lab.Resumed(); at != 0 {
		t.Errorf("told at %d, was not asked", at)
	}
	for range 3 {
		start := Now()
		lab.Ask(start)
		actor.Resume()
		at := lab.Resumed()
		actor.Resume()
		if at < start || lab.Resumed() != at {
			t.Errorf("asked at %d, told at %d, then %d", start, at, lab.Resumed())
		}
	}
}
