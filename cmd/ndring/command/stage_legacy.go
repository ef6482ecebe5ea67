package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

// legacy is what an earlier life of a stage left of its output ring.
type legacy struct {
	id    proto.Identity
	ended []stage.Over // inputs that it read to their end
	done  bool         // it ended the ring, and every reader had all of it
}

// legacyOf looks at the ring that a stage is to write, before its inputs are waited
// for: those that have ended will not come. What cannot be read is found to be so when
// the ring is opened.
func legacyOf(c *cli.Context) legacy {
	if c.Bool("recreate") {
		return legacy{}
	}
	s, err := ipc.OpenSnapshot("", c.String("out"))
	if err != nil {
		return legacy{}
	}
	defer s.Close()
	l := legacy{id: *s.Segment.Identity()}
	err = ipc.Guard(func() error {
		l.done = s.Segment.State().Ended && !s.Segment.Owes(s.Table)
		return nil
	}, s)
	if err != nil {
		return legacy{}
	}
	f, err := ipc.OpenJournal("", c.String("out"))
	if err != nil {
		return legacy{}
	}
	defer f.Close()
	l.ended, _ = stage.Ended(f, l.id.RingID)
	return l
}

// without splits a list of rings and patterns into what is to be read yet and the
// rings that have ended. A pattern that one of these matches waits for no other. A
// finished ring is the past of a stage that reads nothing else; another one replaces it.
func (l *legacy) without(list []string, out string) (rest []string, over []stage.Over, err error) {
	for _, part := range list {
		mine := slices.DeleteFunc(slices.Clone(l.ended), func(o stage.Over) bool {
			ok, _ := path.Match(part, o.Name)
			return !ok
		})
		switch {
		case len(mine) == 0:
			rest = append(rest, part)
		case isPattern(part):
			now, err := matches(part, out)
			if err != nil {
				return nil, nil, err
			}
			rest = append(rest, now...)
		}
	}
	for _, o := range l.ended {
		asked := func(part string) bool { ok, _ := path.Match(part, o.Name); return ok }
		if slices.ContainsFunc(list, asked) {
			over = append(over, o)
			rest = slices.DeleteFunc(rest, func(name string) bool { return name == o.Name })
		}
	}
	if l.done && len(rest) > 0 {
		return list, nil, nil
	}
	return rest, over, nil
}

// of is the legacy if it matters: inputs are over.
func (l *legacy) of(over []stage.Over) *legacy {
	if len(over) == 0 {
		return nil
	}
	return l
}

// config describes the output ring as the earlier life made it: what that knew of
// inputs that have ended is known no more.
func (l *legacy) config(c *cli.Context, st provenance.Step, inputs []*proto.Identity) (ipc.WriterConfig, error) {
	if len(inputs) > 0 {
		if cfg, err := stageConfig(c, st, inputs); err != nil {
			return cfg, err
		}
	}
	cfg, err := writerConfig(c, l.id.Capacity)
	cfg.Schema, cfg.Meta = l.id.Schema, l.id.Meta
	return cfg, err
}

// confirm makes sure that the ring, which now is this process's, is the one that was
// looked at, with the same inputs ended.
func (l *legacy) confirm(out *ipc.Writer) error {
	f, err := out.Journal().Open()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var now []stage.Over
	if err == nil {
		defer f.Close()
		if now, err = stage.Ended(f, out.Identity().RingID); err != nil {
			return err
		}
	}
	if !slices.Equal(now, l.ended) {
		return fmt.Errorf("ring %s changed while this stage began: inputs ended were %v, are %v; start it again", out.Name(), l.ended, now)
	}
	return nil
}

// sayOver tells which inputs have ended, and takes leave of them.
func sayOver(c *cli.Context, over []stage.Over) error {
	cfg, err := place(c)
	if err != nil {
		return err
	}
	for _, o := range over {
		say(c, "%s: has ended in an earlier life of this stage", o.Name)
		takeLeave(c.Context, cfg, o)
	}
	return nil
}

// takeLeave says goodbye to a ring that has ended, for an earlier life that died before
// it could: its writer waits for that. Another ring of that name is left alone.
func takeLeave(ctx context.Context, cfg ipc.ReaderConfig, o stage.Over) {
	s, err := ipc.OpenSnapshot(cfg.Dir, o.Name)
	if err != nil {
		return
	}
	defer s.Close()
	waits := false
	err = ipc.Guard(func() error {
		waits = s.Alive && s.Segment.Identity().RingID.Short() == o.RingID && s.Segment.State().Ended
		return nil
	}, s)
	if err != nil || !waits || cfg.Keep == 0 {
		return
	}
	cfg.NoWait = true
	if r, err := ipc.Dial(ctx, o.Name, cfg); err == nil {
		r.Close()
	}
}

// finish removes a ring that an earlier life ended, with nothing left to do.
func (l *legacy) finish(c *cli.Context) error {
	name := c.String("out")
	if err := ipc.Remove("", name); err != nil {
		return err
	}
	say(c, "%s: an earlier life of this stage had finished it, nothing is left to do", name)
	return nil
}
