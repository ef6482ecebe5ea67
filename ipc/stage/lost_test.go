package stage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring/ringtest"
)

// audited checks what holds of any output: a DELTA follows its PRIMARY and is the
// difference from the PRIMARY before it in its stream, which had the same length, and
// sequences follow each other. It returns how many streams ended.
func audited(got []result) (ends int, err error) {
	type state struct {
		sequence uint32
		y        []float64
	}
	streams := map[uint64]*state{}
	var before *state // of the PRIMARY that a DELTA belongs to
	for i, r := range got {
		st := streams[r.head.Stream]
		switch {
		case r.head.Kind == proto.KindStreamEnd:
			ends++
			delete(streams, r.head.Stream)
		case r.head.Role == proto.RoleDelta:
			if before == nil || len(before.y) != len(r.y) || r.head.Sequence != st.sequence {
				return 0, fmt.Errorf("result %d: DELTA of nothing: %+v", i, r.head)
			}
			for j := range r.y {
				if r.y[j] != st.y[j]-before.y[j] {
					return 0, fmt.Errorf("result %d: value %d of DELTA is %v, want %v - %v", i, j, r.y[j], st.y[j], before.y[j])
				}
			}
			before = nil
		default:
			if st != nil && r.head.Stream != 0 && r.head.Sequence != st.sequence+1 {
				return 0, fmt.Errorf("result %d: sequence %d of stream %d behind %d", i, r.head.Sequence, r.head.Stream, st.sequence)
			}
			if st != nil && (len(st.y) == len(r.y)) != r.more {
				return 0, fmt.Errorf("result %d: PRIMARY of %d values behind %d, with DELTA: %v", i, len(r.y), len(st.y), r.more)
			}
			before = st
			streams[r.head.Stream] = &state{r.head.Sequence, r.y}
		}
	}
	return ends, nil
}

// wounds are ways in which a journal is not what was written.
func wounds() map[string]func(rng *rand.Rand, text []byte) []byte {
	return map[string]func(*rand.Rand, []byte) []byte{
		"a bit flipped": func(rng *rand.Rand, text []byte) []byte {
			text[rng.IntN(len(text))] ^= 1 << rng.IntN(8)
			return text
		},
		"cut short": func(rng *rand.Rand, text []byte) []byte { return text[:rng.IntN(len(text))] },
		"a hole": func(rng *rand.Rand, text []byte) []byte {
			at := rng.IntN(len(text))
			clear(text[at:min(len(text), at+1+rng.IntN(4096))])
			return text
		},
		"gone":  func(*rand.Rand, []byte) []byte { return nil },
		"empty": func(*rand.Rand, []byte) []byte { return []byte{} },
		"garbage": func(rng *rand.Rand, text []byte) []byte {
			for i := range text {
				text[i] = byte(rng.Uint32())
			}
			return text
		},
	}
}

// Check that a journal that is damaged, lost or of an earlier time never leads to a
// wrong DELTA: what the stage sends is what it would have sent, or a stream ends. The
// same once more if the stage dies again after it.
func TestDamagedJournal(t *testing.T) {
	const frames, seed = 400, 5
	lost := 0
	for name, wound := range wounds() {
		for round := range uint64(25) {
			rng := rand.New(rand.NewPCG(round, 13))
			f := newFeed(t, "in", seed, frames, 100)
			d := &fate{left: 800 + rng.IntN(900)}
			o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
			lives := 0
			for err := life(t, stage.Config{}, o, j, f); err != nil; err = life(t, stage.Config{}, o, j, f) {
				if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				if lives++; lives == 1 {
					j.text = wound(rng, slices.Clone(j.text))
				}
				rise(t, o, []int{0, 200, -1}[min(lives, 2)], f)
			}
			o.drain()
			ends, err := audited(o.got)
			if err != nil {
				t.Fatalf("%s, round %d: %v", name, round, err)
			}
			if whole := untouched(t, seed, frames); !reflect.DeepEqual(o.got, whole) {
				lost++
				if more, _ := audited(whole); ends <= more {
					t.Fatalf("%s, round %d: %d ends, and %s", name, round, ends, difference(o.got, whole))
				}
			}
		}
	}
	if lost == 0 {
		t.Fatal("no stream was ever lost: the test tests nothing")
	}
}

// untouched is the output for a feed of a stage that never died.
func untouched(t *testing.T, seed uint64, frames int) []result {
	f := newFeed(t, "in", seed, frames, 100)
	d := &fate{left: -1}
	o := newOutlet(t, d, 1<<16)
	if err := life(t, stage.Config{}, o, &diary{fate: d}, f); err != nil {
		t.Fatal(err)
	}
	o.drain()
	return o.got
}

// died is a stage's output and journal after a while, with streams in the journal only.
func died(t *testing.T, cfg stage.Config, feeds ...*feed) (*outlet, *diary) {
	d := &fate{left: 1200}
	o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
	if err := life(t, cfg, o, j, feeds...); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	rise(t, o, -1, feeds...)
	return o, j
}

// Check that a stage with another kernel, other parameters or another wish for DELTA is
// refused with words that say so, and that the right one goes on afterwards as if
// nothing had been.
func TestOtherStageIsRefused(t *testing.T) {
	f := newFeed(t, "in", 5, 400, 100)
	o, j := died(t, stage.Config{Params: "scale 2"}, f)
	before := slices.Clone(j.text)
	for word, cfg := range map[string]stage.Config{
		"kernel affine":    {Kernel: newKernel(t, "identity"), Params: "scale 2"},
		"other parameters": {Params: "scale 3"},
		"DELTA":            {NoDelta: true, Params: "scale 2"},
	} {
		err := life(t, cfg, o, j, f)
		if !errors.Is(err, stage.ErrOther) || !strings.Contains(err.Error(), word) {
			t.Errorf("%+v: %v, want ErrOther and %q", cfg, err, word)
		}
		if !reflect.DeepEqual(j.text, before) {
			t.Fatal("the journal was changed")
		}
	}
	if err := life(t, stage.Config{Params: "scale 2"}, o, j, f); err != nil {
		t.Fatal(err)
	}
	o.drain()
	if whole := untouched(t, 5, 400); !reflect.DeepEqual(o.got, whole) {
		t.Fatal(difference(o.got, whole))
	}
}

// Check that a journal of another ring is not used.
func TestJournalOfAnotherRing(t *testing.T) {
	f := newFeed(t, "in", 5, 400, 100)
	_, foreign := died(t, stage.Config{}, f)
	g := newFeed(t, "in", 5, 400, 100)
	d := &fate{left: -1}
	o := newOutlet(t, d, 1<<16)
	o.Ring = ringtest.New(t, "other", 1<<16)
	o.sink = o.AttachOldest(t)
	foreign.fate = d
	if err := life(t, stage.Config{}, o, foreign, g); err != nil {
		t.Fatal(err)
	}
	o.drain()
	if whole := untouched(t, 5, 400); len(o.got) != len(whole) {
		t.Fatal(difference(o.got, whole))
	}
}

// Check that a stage with a journal does not run before it was resumed.
func TestRunBeforeResume(t *testing.T) {
	in, out := ringtest.New(t, "in", 1<<16), ringtest.New(t, "out", 1<<16)
	s := newStage(t, out.Writer, stage.Config{Journal: &diary{fate: &fate{left: -1}}}, in.AttachOldest(t))
	if err := s.Run(context.Background()); !errors.Is(err, stage.ErrConfig) {
		t.Fatal(err)
	}
}

// Check that the streams of a ring that is no input any more end when the next life
// begins, once, wherever that one dies, and that its other input goes on.
func TestInputThatIsGone(t *testing.T) {
	for step := range 60 {
		a, b := newFeed(t, "a", 5, 300, 60), newFeed(t, "b", 6, 1200, 60) // b does not end
		d := &fate{left: 1500}
		o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
		if err := life(t, stage.Config{}, o, j, a, b); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		left := 1 + step
		rise(t, o, left, a, b)
		for err := life(t, stage.Config{}, o, j, a); err != nil; err = life(t, stage.Config{}, o, j, a) {
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			rise(t, o, -1, a)
		}
		o.drain()
		from := map[string][]result{}
		open := map[uint64]bool{}
		for _, r := range o.got {
			name := "a"
			if r.head.SourceID == b.Seg.Identity().RingID.Short() {
				name = "b"
				ends := r.head.Kind == proto.KindStreamEnd
				if ends && !open[r.head.Stream] && r.head.Source > 0 && len(open) > 0 && r.head.Sequence != 0 {
					t.Fatalf("step %d: stream %d of b ended twice", step, r.head.Stream)
				}
				open[r.head.Stream] = !ends
			}
			from[name] = append(from[name], r)
		}
		for id, still := range open {
			if still {
				t.Fatalf("step %d: stream %d of b is open", step, id)
			}
		}
		for name, rs := range from {
			if _, err := audited(rs); err != nil {
				t.Fatalf("step %d: input %s: %v", step, name, err)
			}
		}
		if want := alone(t, a); !sameButNumbers(from["a"], want) {
			t.Fatalf("step %d: %d results of a, want %d", step, len(from["a"]), len(want))
		}
	}
}

// alone is what a stage makes of one feed, read from its start.
func alone(t *testing.T, f *feed) []result {
	f.rewind, f.gone = true, false
	f.restart(t)
	d := &fate{left: -1}
	o := newOutlet(t, d, 1<<16)
	if err := life(t, stage.Config{}, o, &diary{fate: d}, f); err != nil {
		t.Fatal(err)
	}
	o.drain()
	return o.got
}

// sameButNumbers compares outputs whose frames may be numbered differently.
func sameButNumbers(a, b []result) bool {
	return slices.EqualFunc(a, b, func(p, q result) bool {
		p.head.Number, q.head.Number = 0, 0
		return reflect.DeepEqual(p, q)
	})
}

// Check that two inputs that are read at the same time each come out as if they were
// alone, wherever the stage dies.
func TestOnceWithTwoInputs(t *testing.T) {
	whole := map[string][]result{}
	for i, name := range []string{"a", "b"} {
		whole[name] = alone(t, newFeed(t, name, uint64(5+i), 300, 60))
	}
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 17))
		feeds := []*feed{newFeed(t, "a", 5, 300, 60), newFeed(t, "b", 6, 300, 60)}
		d := &fate{left: rng.IntN(2500)}
		o, j := newOutlet(t, d, 1<<16), &diary{fate: d}
		for err := life(t, stage.Config{}, o, j, feeds...); err != nil; err = life(t, stage.Config{}, o, j, feeds...) {
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			rise(t, o, 200+rng.IntN(2000), feeds...)
		}
		o.drain()
		from := map[string][]result{}
		for _, r := range o.got {
			for _, f := range feeds {
				if id := f.Seg.Identity(); r.head.SourceID == id.RingID.Short() {
					from[id.Name] = append(from[id.Name], r)
				}
			}
		}
		for name, want := range whole {
			if !sameButNumbers(from[name], want) {
				t.Fatalf("seed %d: %d results of %s, want %d", seed, len(from[name]), name, len(want))
			}
		}
	}
}
