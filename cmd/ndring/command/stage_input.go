package command

import (
	"context"
	"errors"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

// openInputs attaches to all inputs once each is found to suit the stage.
func openInputs(c *cli.Context, st provenance.Step) ([]*ipc.Reader, error) {
	cfg, err := place(c)
	if err != nil {
		return nil, err
	}
	names, err := inputNames(c)
	if err != nil {
		return nil, err
	}
	var ids []*proto.Identity
	for _, name := range names {
		id, err := peek(c, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, &id)
	}
	if _, err := stageConfig(c, st, ids); err != nil {
		return nil, err
	}
	var inputs []*ipc.Reader
	for _, name := range names {
		r, err := attach(c, name, cfg)
		if err != nil {
			return inputs, err
		}
		inputs = append(inputs, r)
	}
	return inputs, nil
}

func identities(inputs []*ipc.Reader) []*proto.Identity {
	ids := make([]*proto.Identity, len(inputs))
	for i, in := range inputs {
		ids[i] = in.Identity()
	}
	return ids
}

// closeInputs gives the places of the stage up, or keeps them for one that does better.
func closeInputs(inputs []*ipc.Reader, well bool) {
	for _, in := range inputs {
		if well {
			in.Close()
		} else {
			in.Leave()
		}
	}
}

// patternRunes make a name of --in a pattern.
const patternRunes = "*?["

// inputNames resolves --in. Patterns match the rings that exist; until one does,
// it waits.
func inputNames(c *cli.Context) ([]string, error) {
	var names []string
	for _, part := range strings.Split(c.String("in"), ",") {
		part = strings.TrimSpace(part)
		if !strings.ContainsAny(part, patternRunes) {
			names = append(names, part)
			continue
		}
		matched, err := matches(c, part)
		if err != nil {
			return nil, err
		}
		names = append(names, matched...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if slices.Contains(names, c.String("out")) {
		return nil, usagef("ring %s is both input and output", c.String("out"))
	}
	return names, nil
}

// plainNames are the names in a list, without the patterns.
func plainNames(list string) []string {
	var names []string
	for _, part := range strings.Split(list, ",") {
		if !strings.ContainsAny(part, patternRunes) {
			names = append(names, strings.TrimSpace(part))
		}
	}
	return names
}

func matches(c *cli.Context, pattern string) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, usagef("--in %q: %w", pattern, err)
	}
	for told := false; ; told = true {
		rings, err := ipc.List("")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		var names []string
		for _, r := range rings {
			if ok, _ := path.Match(pattern, r.Name); ok && r.Name != c.String("out") {
				names = append(names, r.Name)
			}
		}
		if len(names) > 0 {
			return names, nil
		}
		if !told {
			say(c, "waiting for a ring that matches %s", pattern)
		}
		if err := pause(c.Context, lookInterval); err != nil {
			return nil, err
		}
	}
}

// sources are the inputs as the stage reads them.
func sources(inputs []*ipc.Reader) []stage.Source {
	all := make([]stage.Source, len(inputs))
	for i, in := range inputs {
		all[i] = primaries{in}
		p, err := provenance.Parse(in.Identity().Meta)
		if err == nil && p.Source.Kind == provenance.KindTCP {
			all[i] = bridged{primaries{in}}
		}
	}
	return all
}

// primaries reads a ring without its DELTA frames: behind another stage, each
// PRIMARY is what this one continues.
type primaries struct{ *ipc.Reader }

func (p primaries) Next(ctx context.Context) (*ring.Frame, error) {
	for {
		if err := ctx.Err(); err != nil { // the reader does not look while there are frames
			return nil, err
		}
		f, err := p.Reader.Next(ctx)
		if err != nil || f.Kind() != proto.KindData || f.Header().Role != proto.RoleDelta {
			return f, err
		}
	}
}

// bridged is a ring that a bridge feeds: its streams end with the bridge's life.
type bridged struct{ primaries }

// Life is the bridge's, as its stream ids have it.
func (bridged) Life(id uint64) uint64 { return bridge.Life(id) }

var _ stage.Lives = bridged{}
