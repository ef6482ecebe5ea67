package command

import (
	"context"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

// openInputs attaches to all inputs once each is found to suit the stage.
func openInputs(c *cli.Context, list []string, st provenance.Step) ([]*ipc.Reader, error) {
	cfg, err := place(c)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	names, ids, err := awaitInputs(c, list)
	if err != nil {
		return nil, err
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

// awaitInputs waits for all inputs and returns what they are.
func awaitInputs(c *cli.Context, list []string) (names []string, ids []*proto.Identity, err error) {
	v := vigil{c: c}
	defer v.ends()
	if names, err = resolve(c, list, c.String("out"), v.begins); err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		v.ends()
		id, err := peek(c, name, func(ring string) { v.begins("ring " + ring) })
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, &id)
	}
	return names, ids, nil
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
