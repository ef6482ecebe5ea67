package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

func bridgeCommand() *cli.Command {
	flags := slices.Concat([]cli.Flag{
		&cli.StringFlag{Name: "listen", Value: "127.0.0.1:5000", Usage: "TCP address; port 0 takes a free one"},
		&cli.StringFlag{Name: "to", Usage: "ring to write chunks to; a stage reads it"},
		&cli.StringFlag{Name: "from", Usage: "ring to read results from; a stage writes it"},
		&cli.Uint64Flag{Name: "exact", Usage: "refuse chunks of any other length in bytes, as in 40"},
		&cli.StringFlag{Name: "limit", Usage: "refuse longer chunks, as in 1MiB (default: what the rings take)"},
		&cli.IntFlag{Name: "max-clients", Value: bridge.DefaultMaxClients, Usage: "turn further clients away"},
		&cli.StringFlag{Name: "client-memory", Value: quantity.Bytes(bridge.DefaultMemoryBytes), Usage: "results of one client that may wait to be sent"},
		&cli.DurationFlag{Name: "progress", Value: bridge.DefaultProgress, Usage: "end a client whose chunk, or whose reading, stands still so long; 0 = never"},
		&cli.DurationFlag{Name: "idle", Usage: "end a client that is silent so long between chunks; 0 = never"},
	}, securityFlags(), ringFlags(), kernelFlags())
	return &cli.Command{
		Name: "bridge", Usage: "serve remote clients over TCP", Flags: flags, Action: runBridge,
		Description: "Chunks of float64 go into the ring --to, results of the same client come from the ring\n--from; a stage connects the two. With --kernel the bridge computes itself and needs no rings.",
	}
}

func runBridge(c *cli.Context) error {
	cfg, err := bridgeConfig(c)
	if err != nil {
		return stopped(c, err)
	}
	listener, err := net.Listen("tcp", c.String("listen"))
	var address *net.AddrError
	if errors.As(err, &address) {
		return usagef("--listen %s: %w", c.String("listen"), address)
	}
	if err != nil {
		return fmt.Errorf("%w; stop what uses the address, or choose another with --listen", err)
	}
	defer listener.Close()
	if cfg.Kernel != nil {
		return serveBridge(c, cfg, listener)
	}
	return bridgeRings(c, cfg, listener)
}

// bridgeConfig is what the flags say, but for the rings.
func bridgeConfig(c *cli.Context) (bridge.Config, error) {
	cfg := bridge.Config{ExactBytes: c.Uint64("exact"), MaxClients: c.Int("max-clients"), Logger: logger(c)}
	if c.NArg() > 0 {
		return cfg, usagef("bridge: unexpected %q; name the rings with --to and --from", c.Args().First())
	}
	if cfg.MaxClients <= 0 {
		return cfg, usagef("--max-clients %d; give a number from 1 up", cfg.MaxClients)
	}
	if err := bridgeBounds(c, &cfg); err != nil {
		return cfg, err
	}
	if err := security(c, &cfg); err != nil {
		return cfg, err
	}
	rings := c.String("to") != "" && c.String("from") != ""
	some := c.String("to") != "" || c.String("from") != ""
	switch kernel := c.String("kernel"); {
	case kernel == "" && !rings, kernel != "" && some:
		return cfg, usagef("bridge: give --to and --from, or --kernel")
	case kernel == "" && c.String("to") == c.String("from"):
		return cfg, usagef("ring %s is both --to and --from; a stage has to stand between two", c.String("to"))
	case kernel == "":
		if err := without(c, "--kernel", "fx", "fy", "scale", "offset", "no-delta"); err != nil {
			return cfg, err
		}
	default:
		var err error
		cfg.Kernel, err = bridgeKernel(c)
		return cfg, err
	}
	return cfg, checkNames(c.String("to"), c.String("from"))
}

// bridgeKernel is the kernel of a bridge without rings.
func bridgeKernel(c *cli.Context) (kernel.Kernel, error) {
	if err := without(c, "--to and --from", "capacity", "free-run", "policy", "reader-slots", "recreate", "spin"); err != nil {
		return nil, err
	}
	st, k, err := step(c)
	if err == nil && st.NoDelta {
		err = usagef("--no-delta: clients of the bridge expect DELTA; leave it out")
	}
	return k, err
}

// without refuses flags that mean something together with needs only.
func without(c *cli.Context, needs string, flags ...string) error {
	for _, name := range flags {
		if c.IsSet(name) {
			return usagef("--%s has an effect with %s only; leave it out", name, needs)
		}
	}
	return nil
}

// bridgeBounds sets what one client may take of the bridge.
func bridgeBounds(c *cli.Context, cfg *bridge.Config) (err error) {
	if text := c.String("limit"); text != "" {
		if cfg.LimitBytes, err = quantity.ParseBytes(text); err != nil {
			return usagef("--limit: %w", err)
		}
		if least := uint64(proto.F64.Size()); cfg.LimitBytes < least {
			return usagef("--limit %s: the shortest chunk has %d bytes", text, least)
		}
	}
	if cfg.MemoryBytes, err = quantity.ParseBytes(c.String("client-memory")); err != nil || cfg.MemoryBytes == 0 {
		return usagef("--client-memory %q; give a size from 1 byte up, as in 1MiB", c.String("client-memory"))
	}
	cfg.Progress, cfg.Idle = c.Duration("progress"), c.Duration("idle")
	if cfg.Progress == 0 {
		cfg.Progress = -1 // bridge.Config takes 0 for its default
	}
	return nil
}

// bridgeRings serves clients through the rings --to and --from. The first is ended
// when the bridge ends, so that the stage between them ends, too.
func bridgeRings(c *cli.Context, cfg bridge.Config, listener net.Listener) error {
	ring, err := chunkRing(c)
	if err != nil {
		return err
	}
	to, err := openRing(c, c.String("to"), ring)
	if err != nil {
		return stopped(c, err)
	}
	from, err := ipc.Dial(c.Context, c.String("from"), ipc.ReaderConfig{
		Start: proto.StartOldest, Spin: spin(c), OnWait: waiting(c), Logger: logger(c),
	})
	if err != nil {
		return errors.Join(stopped(c, err), closeRing(c, to))
	}
	defer from.Close()
	cfg.To, cfg.From = to, from
	err = serveBridge(c, cfg, listener)
	ended, cancel := context.WithCancel(c.Context)
	cancel() // every chunk was answered or given up: nobody has to be waited for
	if closed := to.Close(ended); closed != nil && !errors.Is(closed, context.Canceled) {
		err = errors.Join(err, closed)
	}
	return err
}

// chunkRing describes the ring --to.
func chunkRing(c *cli.Context) (ipc.WriterConfig, error) {
	cfg, err := writerConfig(c, 0)
	if err != nil {
		return cfg, err
	}
	if cfg.Policy != proto.PolicyBlock {
		return cfg, usagef("--policy: a bridge needs a ring that blocks")
	}
	cfg.Schema = proto.Schema{DType: proto.F64, NDim: proto.AnyNDim}
	cfg.Meta, err = provenance.Provenance{Source: provenance.Source{Kind: provenance.KindTCP, DType: proto.F64.String()}}.Encode()
	return cfg, err
}

func serveBridge(c *cli.Context, cfg bridge.Config, listener net.Listener) error {
	b, err := bridge.New(cfg)
	if errors.Is(err, bridge.ErrConfig) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	say(c, "listening on %s, chunks of up to %s", listener.Addr(), quantity.Bytes(b.LimitBytes()))
	p := startProgress(c, 0, func() string { return fmt.Sprintf("%d clients", b.Stats().Clients) })
	counted := p.follow(func() (uint64, uint64) {
		s := b.Stats()
		return s.Chunks, s.ChunkBytes
	})
	err = b.Serve(c.Context, listener)
	counted()
	p.stop()
	s := b.Stats()
	say(c, "%d clients, %d chunks, %d results; %d clients refused, %d turned away", s.Accepted, s.Chunks, s.Results, s.Refused, s.TurnedAway)
	if c.Bool("json") {
		err = errors.Join(err, printJSON(c, s))
	}
	return err
}
