package stage_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
)

// Check that an input that ended stays one for every life to come, also when its
// streams have nothing in the output ring any more: they are not ended, and another
// ring of its name is none of it.
func TestEndedInputStaysEnded(t *testing.T) {
	const seed = 5
	a, b := newFeed(t, "a", seed, 200, 60), newFeed(t, "b", 6, 600, 60)
	d := &fate{left: -1}
	o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
	if err := life(t, stage.Config{}, o, j, a); err != nil || !a.gone {
		t.Fatalf("%v; gone: %v", err, a.gone)
	}
	rng := rand.New(rand.NewPCG(seed, 19))
	lives := 0
	for rise(t, o, 300+rng.IntN(300), a, b); ; rise(t, o, 300+rng.IntN(300), a, b) {
		err := life(t, stage.Config{}, o, j, newFeed(t, "a", seed, 200, 60), b)
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		lives++
	}
	o.drain()
	if lives < 5 {
		t.Fatalf("%d lives: the test tests nothing", lives)
	}
	of := func(f *feed) []result {
		return slices.DeleteFunc(slices.Clone(o.got), func(r result) bool { return r.head.SourceID != f.Seg.Identity().RingID.Short() })
	}
	for _, f := range []*feed{a, b} {
		if got, want := of(f), alone(t, f); !sameButNumbers(got, want) {
			t.Errorf("%d results of %s, want %d", len(got), f.Seg.Identity().Name, len(want))
		}
	}
	over, err := stage.Ended(bytes.NewReader(j.text), o.Seg.Identity().RingID)
	want := []stage.Over{{Name: "a", RingID: a.Seg.Identity().RingID.Short()}, {Name: "b", RingID: b.Seg.Identity().RingID.Short()}}
	if err != nil || !reflect.DeepEqual(over, want) {
		t.Errorf("ended are %v, %v", over, err)
	}
}

// Check that a journal of an earlier version of the program, of another ring, cut off or
// empty says of no input that it has ended, and that a stage without inputs is refused then.
func TestNothingEnded(t *testing.T) {
	f := newFeed(t, "in", 5, 400, 100)
	o, j := died(t, stage.Config{}, f)
	id := o.Seg.Identity().RingID
	for name, c := range map[string]struct {
		text []byte
		ring proto.RingID
	}{"none": {nil, id}, "cut off": {j.text[:100], id}, "before the end": {j.text, id}, "of another ring": {j.text, proto.RingID{1}}} {
		if over, err := stage.Ended(bytes.NewReader(c.text), c.ring); err != nil || len(over) > 0 {
			t.Errorf("%s: %v, %v", name, over, err)
		}
	}
	if err := life(t, stage.Config{}, o, j); !errors.Is(err, stage.ErrConfig) {
		t.Errorf("no input: %v", err)
	}
}

// Check that a stage whose journal cannot be written says so with the cause, whichever
// write it is, and that the next life, with room again, leaves the output of one that
// never had to.
func TestJournalFailsOnce(t *testing.T) {
	const seed, frames = 11, 400
	full := errors.New("no room")
	whole := untouched(t, seed, frames)
	failures := 0
	for after := range 12 {
		f := newFeed(t, "in", seed, frames, 100)
		d := &fate{left: -1}
		o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
		j.fails, j.failsAfter = full, after
		for err := life(t, stage.Config{}, o, j, f); err != nil; err = life(t, stage.Config{}, o, j, f) {
			if !errors.Is(err, stage.ErrJournal) || !errors.Is(err, full) {
				t.Fatalf("write %d fails: %v", after, err)
			}
			failures++
			rise(t, o, -1, f)
		}
		o.drain()
		if !reflect.DeepEqual(o.got, whole) {
			t.Fatalf("write %d fails: %s", after, difference(o.got, whole))
		}
	}
	if failures < 5 {
		t.Fatalf("%d writes failed: the test tests nothing", failures)
	}
}
