package stage_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/ring"
	"github.com/ndring/ndring/ring/ringtest"
)

// script is a stage whose input a test writes bit by bit, with a death between.
type script struct {
	*feed
	t       *testing.T
	o       *outlet
	j       *diary
	chatted uint32 // frames of the stream that never stops
	lives   bool   // stream ids tell lives
}

func newScript(t *testing.T) *script {
	f := &feed{Ring: ringtest.New(t, "in", 1<<21)}
	f.src = f.AttachOldest(t)
	d := &fate{left: -1}
	return &script{feed: f, t: t, o: newOutlet(t, d, 1<<16), j: &diary{fate: d}}
}

func (s *script) say(id uint64, sequence uint32, x ...float64) {
	s.Send(s.t, x, ringtest.OnStream(id, sequence))
}

// chatter is more than the output ring holds.
func (s *script) chatter(id uint64) {
	for range 400 {
		s.chatted++
		s.say(id, s.chatted, float64(s.chatted))
	}
}

// sofar is a source that ends where its ring does by now.
type sofar struct{ doomed }

func (s sofar) Next(ctx context.Context) (*ring.Frame, error) {
	if s.Position() == s.Seg.Tail() {
		return nil, io.EOF
	}
	return s.doomed.Next(ctx)
}

// living is a source whose stream ids tell lives as a bridge's do.
type living struct{ sofar }

func (living) Life(id uint64) uint64 { return id >> 32 }

// play lets a stage answer what was said, and die: then, or after so many steps, and
// again until all is answered. It returns the results.
func (s *script) play(left ...int) []result {
	s.t.Helper()
	s.o.drain()
	s.o.got = nil
	for err := error(errKilled); err != nil; rise(s.t, s.o, -1, s.feed) {
		if !errors.Is(err, errKilled) {
			s.t.Fatal(err)
		}
		if len(left) > 0 {
			s.o.left, left = left[0], left[1:]
		}
		err = s.live()
	}
	return s.o.got
}

// live is one life of the stage.
func (s *script) live() error {
	src := sofar{doomed{s.src, s.o.fate, new(bool)}}
	var source stage.Source = src
	if s.lives {
		source = living{src}
	}
	st := newStage(s.t, s.o, stage.Config{Journal: s.j}, source)
	if err := st.Resume(context.Background(), s.o.Seg); err != nil {
		return err
	}
	return st.Run(context.Background())
}

// Check that a stream that was silent while the output ring went around several times,
// in several lives, gets its DELTA, however long its values are.
func TestSilentStream(t *testing.T) {
	for _, n := range []int{1, 700} {
		s := newScript(t)
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i)
		}
		s.say(7, 1, x...)
		for range 3 {
			s.chatter(1)
			s.play()
		}
		x[0] = 5
		s.say(7, 2, x...)
		got := s.play()
		if roles(got) != "PD|" || got[1].y[0] != 10 || n > 1 && got[1].y[n-1] != 0 {
			t.Errorf("%d values: %s", n, roles(got))
		}
	}
}

// Check that the end of a stream that stands in the journal is remembered after it left
// the output ring: the stream that begins under its id gets no DELTA.
func TestSilentStreamThatEnded(t *testing.T) {
	s := newScript(t)
	s.say(7, 1, 3)
	s.chatter(1)
	s.play() // 7 is in the journal
	s.EndStream(s.t, 7)
	s.chatter(1)
	s.chatter(1)
	s.play()
	s.say(7, 1, 4)
	if got := s.play(); roles(got) != "P|" {
		t.Error(roles(got))
	}
}

// Check that a stream that ended because its last result was lost stays ended over
// further deaths, while its end is in the output ring and when it is not any more, and
// that a stream that begins is served.
func TestLostStreamStaysEnded(t *testing.T) {
	s := newScript(t)
	s.say(7, 1, 3)
	s.say(8, 1, 3)
	s.chatter(1)
	s.chatter(1)
	s.play()
	s.j.text = nil
	s.say(7, 2, 4)
	s.say(7, 3, 4)
	if got := s.play(); roles(got) != "E|" || got[0].head.Stream != 7 || got[0].head.Sequence != 2 {
		t.Errorf("lost: %s %+v", roles(got), got)
	}
	s.say(7, 4, 4)
	if got := s.play(); len(got) != 0 {
		t.Errorf("ended, in the ring: %s", roles(got))
	}
	s.chatter(1)
	s.chatter(1)
	s.play()
	s.say(7, 5, 4)
	if got := s.play(); len(got) != 0 {
		t.Errorf("ended, in the journal: %s", roles(got))
	}
	s.say(8, 2, 4)
	s.say(7, 1, 4)
	s.say(7, 2, 4)
	if got := s.play(); roles(got) != "E|P|PD|" || got[0].head.Stream != 8 {
		t.Errorf("others: %s", roles(got))
	}
}

// Check that the first frame of another life of the writer ends the streams of the
// lives before, those that stand in the journal too, once, and no others, wherever the
// stage dies among that.
func TestStreamsOfAnEarlierLife(t *testing.T) {
	const first, second = 1 << 32, 2 << 32
	for step := range 20 {
		s := newScript(t)
		s.lives = true
		s.say(first|1, 1, 1)
		s.say(first|2, 1, 1)
		s.EndStream(t, first|2)
		s.chatter(first | 3)
		s.chatter(first | 3)
		s.play()
		s.say(second|1, 1, 5)
		s.say(second|1, 2, 5)
		s.say(second|2, 1, 5)
		got := s.play(step)
		if roles(got) != "E|E|P|PD|P|" || got[0].head.Stream != first|1 || got[1].head.Stream != first|3 {
			t.Fatalf("killed at step %d: %s: %+v", step, roles(got), got)
		}
		s.say(second|2, 2, 5)
		if got := s.play(); roles(got) != "PD|" {
			t.Error(roles(got))
		}
	}
}
