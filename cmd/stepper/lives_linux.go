//go:build amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// lives is one ring that is written by one process after the other, each killed with
// SIGKILL at an instruction drawn at random, while two readers follow it all.
type lives struct {
	dir     string
	rnd     *rand.Rand
	readers []*follower
	taken   []uint64 // frames each reader was seen to have
	from    uint64   // frames committed for certain
	to      uint64   // frames that may be committed
	kills   map[string]int
}

// patience is how long anything may take before it counts as stuck.
const patience = time.Minute

// unitsALife is how much a life writes if it is not killed: less than half a ring.
const unitsALife = 10

// killAtInstructions runs a ring through so many deaths. The error names what was
// lost, torn or stuck.
func killAtInstructions(parent string, seed uint64, deaths int) (map[string]int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dir, err := os.MkdirTemp(parent, "lives-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := &lives{dir: dir, rnd: rand.New(rand.NewPCG(seed, 1)), kills: map[string]int{}}
	for _, wake := range []proto.Wake{proto.WakePark, proto.WakeStream} {
		l.readers = append(l.readers, follow(ctx, ipc.ReaderConfig{Dir: dir, Wake: wake, Start: proto.StartOldest, RestartWait: patience}))
		l.taken = append(l.taken, 0)
	}
	for n := range deaths {
		life := l.writing
		if n%8 == 7 {
			life = l.listening
		}
		if err := life(); err != nil {
			return nil, fmt.Errorf("seed %d, death %d: %w", seed, n, err)
		}
	}
	return l.kills, l.end(ctx)
}

// writing is a life that is killed while it claims, writes or commits.
func (l *lives) writing() error {
	c, err := start("live", l.dir, strconv.Itoa(len(l.readers)), strconv.Itoa(unitsALife))
	if err != nil {
		return err
	}
	defer c.end()
	if err := l.settle(c.number); err != nil {
		return err
	}
	if err := c.seize(); err != nil {
		return err
	}
	at, err := unitAt(c.number)
	if err != nil {
		return err
	}
	part, err := l.die(c, l.rnd.IntN(3*unitsALife), l.rnd.IntN(400))
	if err != nil {
		return err
	}
	l.from, l.to = l.bounds(at, part)
	l.kills[[]string{"claim", "write", "commit"}[part%3]]++
	return nil
}

// die brings the child to the given mark and as many instructions further, or to the
// next mark, and kills it. It returns the number of the mark it came to last.
func (l *lives) die(c *child, mark, steps int) (int, error) {
	for range mark {
		if _, err := c.thread.Run(); err != nil {
			return 0, err
		}
	}
	for range steps {
		stop, err := c.thread.Step()
		if err != nil {
			return 0, err
		}
		if stop.Mark != 0 {
			mark++
			break
		}
	}
	c.end()
	return mark, nil
}

// bounds says how many frames are committed, at least and at most, when a life that
// began with the unit at index at died in its part: a third of a unit.
func (l *lives) bounds(at, part int) (from, to uint64) {
	all := cycle()
	from = l.from
	for i := range part / 3 {
		from += uint64(len(all[(at+i)%len(all)]))
	}
	if to = from; part%3 == 2 {
		to += uint64(len(all[(at+part/3)%len(all)]))
	}
	return from, to
}

// settle takes in what a new life found committed, and waits until every reader has
// it.
func (l *lives) settle(number uint64) error {
	switch {
	case number < l.from:
		return fmt.Errorf("lost: a new writer goes on with frame %d, %d were committed", number, l.from)
	case number > l.to:
		return fmt.Errorf("a new writer goes on with frame %d, at most %d can be committed", number, l.to)
	case number != l.from && number != l.to:
		return fmt.Errorf("torn: a new writer goes on with frame %d, where all or none of %d to %d are due", number, l.from, l.to)
	}
	l.from, l.to = number, number
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, r := range l.readers {
		taken, err := r.await(ctx, number, l.taken[i])
		if err != nil {
			return err
		}
		if l.taken[i] = taken; taken > number {
			return fmt.Errorf("%s took frame %d, which is not committed", r.kind, taken-1)
		}
	}
	return nil
}

// listening is a life that is killed while it takes the ring over.
func (l *lives) listening() error {
	c, err := start("listen", l.dir, "stay")
	if err != nil {
		return err
	}
	defer c.end()
	if err := c.seize(); err != nil {
		return err
	}
	steps := l.rnd.IntN(1 << (8 + l.rnd.IntN(9)))
	if _, err := l.die(c, 0, steps); err != nil {
		return err
	}
	l.kills["listen"]++
	return nil
}

// end takes the ring over once more, here, and ends it: every reader must get to the
// end, and nothing may be left.
func (l *lives) end(ctx context.Context) error {
	w, err := ipc.Listen(ctx, "x", lifeConfig(l.dir))
	if err != nil {
		return fmt.Errorf("last writer: %w", err)
	}
	if err := l.settle(firstOf(w)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		return fmt.Errorf("stuck: %w", err)
	}
	for _, r := range l.readers {
		select {
		case err := <-r.err:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("stuck: %s does not see the end of the ring", r.kind)
		}
	}
	left, err := os.ReadDir(l.dir)
	if err == nil && len(left) > 0 {
		err = errors.New("left behind: " + left[0].Name())
	}
	return err
}
