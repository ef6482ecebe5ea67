package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

// placeFlags are the flags of commands that take a place in rings as readers.
func placeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "wake", Value: "park", Usage: "park (sleep on shared memory) or stream (be told of each batch)"},
		&cli.StringFlag{Name: "name", Usage: "name of this reader in the rings it reads"},
		&cli.DurationFlag{Name: "keep", Usage: "hold the place of this named reader so long if it dies"},
	}
}

func spinFlag() cli.Flag {
	return &cli.DurationFlag{Name: "spin", Value: ipc.DefaultSpin, Usage: "spin so long before sleeping; 0: never"}
}

// spin is the --spin flag as package ipc has it: negative for none.
func spin(c *cli.Context) time.Duration {
	if d := c.Duration("spin"); d > 0 {
		return d
	}
	return -1
}

// place is what placeFlags say: a reader from the oldest frame on.
func place(c *cli.Context) (ipc.ReaderConfig, error) {
	cfg := ipc.ReaderConfig{
		Name: c.String("name"), Keep: c.Duration("keep"), Start: proto.StartOldest,
		Spin: spin(c), OnWait: waiting(c), Logger: logger(c),
	}
	switch wake := c.String("wake"); wake {
	case "park":
		cfg.Wake = proto.WakePark
	case "stream":
		cfg.Wake = proto.WakeStream
	default:
		return cfg, usagef("--wake %q; use park or stream", wake)
	}
	if cfg.Name != "" {
		if err := checkNames(cfg.Name); err != nil {
			return cfg, err
		}
	}
	if cfg.Keep > 0 && cfg.Name == "" {
		return cfg, usagef("--keep needs --name: only a named reader can come back")
	}
	return cfg, nil
}

// attach takes a place in a ring.
func attach(c *cli.Context, name string, cfg ipc.ReaderConfig) (*ipc.Reader, error) {
	r, err := ipc.Dial(c.Context, name, cfg)
	if errors.Is(err, ring.ErrTableFull) {
		err = fmt.Errorf("%w; the --reader-slots of its writer say how many readers it takes", err)
	}
	return r, err
}
