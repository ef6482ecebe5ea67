package command

import (
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

// peek waits for a ring and returns what it is, without attaching as a reader: a
// producer that waits for its first reader must not take a command for it that
// turns out not to want the ring. onWait is called when the ring is not there.
func peek(c *cli.Context, name string, onWait func(string)) (proto.Identity, error) {
	o, err := ipc.Observe(c.Context, name, ipc.ObserverConfig{OnWait: onWait, Logger: logger(c)})
	if err != nil {
		return proto.Identity{}, err
	}
	defer o.Close()
	return *o.Identity(), nil
}
