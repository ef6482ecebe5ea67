package history

import (
	"fmt"
	"slices"
	"testing"
)

// wrote is a life of a writer: what it wrote, meant and committed.
func wrote(life uint32, epoch, first, meant, committed uint64) []Event {
	return []Event{
		{Kind: Listened, Life: life, A: first, B: epoch},
		{Kind: Wrote, Life: life, A: first, B: meant, C: committed},
	}
}

func attached(life uint32) Event { return Event{Kind: Attached, Life: life} }

func read(life uint32, author, first, end, released uint64) Event {
	return Event{Kind: Read, Life: life, A: first, B: end, C: released, D: author}
}

// twoLives is a ring of 30 frames whose writer was killed once.
func twoLives() []Event {
	log := append(wrote(1, 1, 0, 20, 18), wrote(2, 2, 20, 30, 30)...)
	return append(log, Event{Kind: Closed, Life: 2, A: 30})
}

func judged(t *testing.T, promise Promise, writer, reader []Event) []string {
	t.Helper()
	return judgedBy(t, NewReader("reader", promise), writer, reader)
}

func judgedBy(t *testing.T, r *Reader, writer, reader []Event) []string {
	t.Helper()
	w := NewWriter("writer")
	for _, e := range writer {
		w.Take(e)
	}
	w.Finish()
	for _, e := range reader {
		r.Take(e)
	}
	r.Finish(w, false)
	var sorts []string
	for _, l := range []*ledger{&w.ledger, &r.ledger} {
		found, count := l.Faults()
		if len(found) != count {
			t.Errorf("%d faults described, %d counted", len(found), count)
		}
		for _, f := range found {
			sorts = append(sorts, string(f.Sort))
		}
	}
	return sorts
}

// Check that histories without a fault pass, and that each planted fault is found and
// called by its name.
func TestReaders(t *testing.T) {
	end := Event{Kind: Ended, A: 30}
	whole := []Event{attached(1), read(1, 1, 0, 20, 20), read(1, 2, 20, 30, 30), end}
	for _, c := range []struct {
		name    string
		promise Promise
		log     []Event
		want    []Sort
	}{
		{"gapless across a writer's death", Named, whole, nil},
		{"killed while it held a frame", Named, []Event{attached(1), read(1, 1, 0, 15, 14), attached(2), read(2, 1, 14, 20, 20), read(2, 2, 20, 30, 30), end}, nil},
		{"killed between release and its record", Named, []Event{attached(1), read(1, 1, 0, 15, 14), attached(2), read(2, 1, 15, 20, 20), read(2, 2, 20, 30, 30), end}, nil},
		{"killed twice without a frame between", Named, []Event{attached(1), read(1, 1, 0, 15, 14), attached(2), attached(3), read(3, 1, 14, 20, 20), read(3, 2, 20, 30, 30), end}, nil},
		{"stream, releases not sent", NamedStream, []Event{attached(1), read(1, 1, 0, 15, 15), attached(2), read(2, 1, 0, 20, 20), read(2, 2, 20, 30, 30), end}, nil},
		{"unnamed, begins anywhere", Unnamed, []Event{attached(1), read(1, 1, 0, 5, 5), attached(2), read(2, 1, 17, 20, 20), read(2, 2, 20, 30, 30), end}, nil},
		{"unnamed, evicted", Unnamed, []Event{attached(1), read(1, 1, 0, 5, 5), {Kind: Evicted, Life: 1}, attached(2), read(2, 2, 25, 30, 30), end}, nil},
		{"unnamed, evicted at last", Unnamed, []Event{attached(1), read(1, 1, 0, 5, 5), {Kind: Evicted, Life: 1}}, nil},
		{"laps told", Lossy, []Event{attached(1), read(1, 1, 0, 5, 5), {Kind: Lapped, Life: 1, A: 20}, read(1, 2, 25, 28, 28), end}, nil},

		{"lost within a run of lives", Named, []Event{attached(1), read(1, 1, 0, 19, 19), read(1, 2, 20, 30, 30), end}, []Sort{Loss}},
		{"lost at the end", Named, []Event{attached(1), read(1, 1, 0, 20, 20), read(1, 2, 20, 29, 29), end}, []Sort{Loss}},
		{"lost by coming back too late", Named, []Event{attached(1), read(1, 1, 0, 15, 14), attached(2), read(2, 1, 16, 20, 20), read(2, 2, 20, 30, 30), end}, []Sort{Loss}},
		{"lost in stream mode", NamedStream, []Event{attached(1), read(1, 1, 0, 15, 15), attached(2), read(2, 1, 16, 20, 20), read(2, 2, 20, 30, 30), end}, []Sort{Loss}},
		{"duplicate", Named, []Event{attached(1), read(1, 1, 0, 20, 20), read(1, 1, 19, 20, 20), read(1, 2, 20, 30, 30), end}, []Sort{Duplicate}},
		{"duplicate by coming back before a release", Named, []Event{attached(1), read(1, 1, 0, 15, 14), attached(2), read(2, 1, 13, 20, 20), read(2, 2, 20, 30, 30), end}, []Sort{Duplicate}},
		{"stream, before the last life", NamedStream, []Event{attached(1), read(1, 1, 0, 9, 9), attached(2), read(2, 1, 8, 15, 15), attached(3), read(3, 1, 7, 20, 20), read(3, 2, 20, 30, 30), end}, []Sort{Duplicate}},
		{"torn", Named, append([]Event{{Kind: Torn, Life: 1, A: 3}}, whole...), []Sort{Tear}},
		{"reordered", Named, []Event{attached(1), read(1, 1, 0, 7, 7), read(1, 1, 8, 9, 9), read(1, 1, 7, 8, 8), read(1, 1, 9, 20, 20), read(1, 2, 20, 30, 30), end}, []Sort{Loss, Reordering, Loss}},
		{"unreported lap", Lossy, []Event{attached(1), read(1, 1, 0, 5, 5), read(1, 2, 25, 28, 28), end}, []Sort{Unreported}},
		{"lap reported too small", Lossy, []Event{attached(1), read(1, 1, 0, 5, 5), {Kind: Lapped, Life: 1, A: 19}, read(1, 2, 25, 28, 28), end}, []Sort{Unreported}},
		{"lap reported too large", Lossy, []Event{attached(1), read(1, 1, 0, 5, 5), {Kind: Lapped, Life: 1, A: 21}, read(1, 2, 25, 28, 28), end}, []Sort{Unreported}},
		{"lossy, duplicate", Lossy, []Event{attached(1), read(1, 1, 0, 5, 5), read(1, 1, 4, 8, 8), end}, []Sort{Duplicate}},
		{"ghost of a dead life", Unnamed, []Event{attached(1), read(1, 1, 18, 21, 21), read(1, 2, 21, 30, 30), end}, []Sort{Ghost}},
		{"ghost of no life", Unnamed, []Event{attached(1), read(1, 7, 18, 20, 20), read(1, 2, 20, 30, 30), end}, []Sort{Ghost}},
		{"named, evicted", Named, append(slices.Clone(whole[:3]), Event{Kind: Evicted, Life: 1}, end), []Sort{Dismissal}},
		{"no end", Named, whole[:3], []Sort{Unfinished}},
		{"no end, short of it", Named, whole[:2], []Sort{Unfinished, Loss}},
		{"failed", Named, append(slices.Clone(whole), Event{Kind: Failed, Life: 1}), []Sort{Failure}},
		{"leaked", Named, append(slices.Clone(whole), Event{Kind: Leaked, Life: 1, A: 1, B: 3, C: 4}), []Sort{Leak}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judged(t, c.promise, twoLives(), c.log); !same(got, c.want) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
		})
	}
}

// Check that a release lost with the deaths of writer and reader is counted, and that a
// life before the one before is a duplicate all the same.
func TestMortalWriter(t *testing.T) {
	log := []Event{attached(1), read(1, 1, 4, 15, 14), attached(2), read(2, 1, 12, 20, 20), read(2, 2, 20, 30, 30), {Kind: Ended, A: 30}}
	r := NewReader("reader", Named).OfMortalWriter()
	if got := judgedBy(t, r, twoLives(), log); got != nil || r.Released != 2 || r.Repeated != 3 {
		t.Errorf("faults %q, %d seen again, %d of them released; want 3 and 2", got, r.Repeated, r.Released)
	}
	log[3] = read(2, 1, 3, 20, 20)
	if got := judgedBy(t, NewReader("reader", Named).OfMortalWriter(), twoLives(), log); !same(got, []Sort{Duplicate}) {
		t.Errorf("faults %q, want a duplicate", got)
	}
}

// Check that a writer's life must begin where the one before left the ring.
func TestWriters(t *testing.T) {
	closed := func(frames uint64) Event { return Event{Kind: Closed, Life: 3, A: frames} }
	for _, c := range []struct {
		name string
		log  []Event
		want []Sort
	}{
		{"all or nothing, nothing", append(append(wrote(1, 1, 0, 20, 16), wrote(2, 4, 16, 30, 30)...), closed(30)), nil},
		{"all or nothing, all", append(append(wrote(1, 1, 0, 20, 16), wrote(2, 4, 20, 30, 30)...), closed(30)), nil},
		{"half a group", append(append(wrote(1, 1, 0, 20, 16), wrote(2, 4, 18, 30, 30)...), closed(30)), []Sort{Tear}},
		{"committed and lost", append(append(wrote(1, 1, 0, 20, 16), wrote(2, 4, 15, 30, 30)...), closed(30)), []Sort{Loss}},
		{"never meant", append(append(wrote(1, 1, 0, 20, 16), wrote(2, 4, 21, 30, 30)...), closed(30)), []Sort{Ghost}},
		{"epoch goes back", append(append(wrote(1, 2, 0, 20, 20), wrote(2, 2, 20, 30, 30)...), closed(30)), []Sort{Rewind}},
		{"ends short", append(wrote(1, 1, 0, 20, 20), closed(19)), []Sort{Loss}},
		{"begins with frames", append(wrote(1, 1, 7, 20, 20), closed(20)), []Sort{Ghost}},
		{"never ends", wrote(1, 1, 0, 20, 20), []Sort{Unfinished}},
		{"killed while it ended the ring", append(append(append(wrote(1, 1, 0, 20, 20), closed(20)), Event{Kind: Listened, Life: 2, A: 20, B: 2}), closed(20)), nil},
		{"killed when it had ended the ring", append(append(append(wrote(1, 1, 0, 20, 20), closed(20)), Event{Kind: Listened, Life: 2, B: 1}), closed(0)), nil},
		{"begins anew", append(append(append(wrote(1, 1, 0, 20, 20), closed(20)), wrote(2, 1, 0, 10, 10)...), closed(10)), []Sort{Failure, Loss}},
		{"begins elsewhere", append(append(append(wrote(1, 1, 0, 20, 20), closed(20)), wrote(2, 2, 19, 30, 30)...), closed(30)), []Sort{Loss}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judged(t, Unnamed, c.log, []Event{{Kind: Ended}}); !same(got, c.want) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
		})
	}
}

func same(got []string, want []Sort) bool {
	return slices.EqualFunc(got, want, func(g string, w Sort) bool { return g == string(w) })
}

// Check that of many faults the first are described and all are counted.
func TestManyFaults(t *testing.T) {
	r := NewReader("r", Named)
	for i := range 3 * keptFaults {
		r.Take(Event{Kind: Torn, A: uint64(i)})
	}
	if found, count := r.Faults(); len(found) != keptFaults || count != 3*keptFaults {
		t.Errorf("%d described, %d counted", len(found), count)
	}
	if text := fmt.Sprint(r.found[0]); text != "torn: r, life 0: frame 0 at position 0, its payload says 0" {
		t.Error(text)
	}
}
