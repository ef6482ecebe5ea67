package command

import (
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
	ended []string // inputs that it read to their end
	done  bool     // it ended the ring, and every reader had all of it
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
func (l *legacy) without(list []string, out string) (rest, over []string, err error) {
	for _, part := range list {
		mine := slices.DeleteFunc(slices.Clone(l.ended), func(name string) bool {
			ok, _ := path.Match(part, name)
			return !ok
		})
		over = append(over, mine...)
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
	slices.Sort(over)
	over = slices.Compact(over)
	rest = slices.DeleteFunc(rest, func(name string) bool { return slices.Contains(over, name) })
	if l.done && len(rest) > 0 {
		return list, nil, nil
	}
	return rest, over, nil
}

// of is the legacy if it matters: inputs are over.
func (l *legacy) of(over []string) *legacy {
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
	var now []string
	if err == nil {
		defer f.Close()
		if now, err = stage.Ended(f, out.Identity().RingID); err != nil {
			return err
		}
	}
	if !slices.Equal(now, l.ended) {
		return fmt.Errorf("ring %s changed while this stage began: inputs ended were %q, are %q; start it again", out.Name(), l.ended, now)
	}
	return nil
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
