package bridge

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Sink is the ring the chunks go to: its writer.
type Sink interface {
	ClaimFrame(ctx context.Context, h *proto.Header) (*ring.Claim, error)
	Identity() *proto.Identity
}

// Source is the ring the results come from: a lossless reader. If it has a method
// Ready() bool, which says whether a frame is there already, results are sent the
// moment there is no other; without it Next is tried with a cancelled context.
type Source interface {
	Next(ctx context.Context) (*ring.Frame, error)
	Release() error
	Identity() *proto.Identity
}

// Kernel computes results within the bridge, as package kernel's do: Apply stores
// f(x) in y, ApplyDelta also y-last in d and y in last. It is used by many
// goroutines at once.
type Kernel interface {
	Apply(y, x []float64)
	ApplyDelta(y, d, last, x []float64)
}

// Limits of a bridge, unless Config says otherwise.
const (
	DefaultLimitBytes  = 16 << 20 // largest chunk of a bridge without rings
	DefaultMaxClients  = 16384
	DefaultMemoryBytes = 1 << 20   // results of one client not sent yet
	DefaultSocketBytes = 256 << 10 // kernel buffer, each way
	DefaultProgress    = 30 * time.Second
	DefaultGrace       = 5 * time.Second
)

// Config is what a bridge connects. Either To and From or Kernel is set.
type Config struct {
	To     Sink
	From   Source
	Kernel Kernel

	// ExactBytes is the one chunk length allowed, 0 for any multiple of 8 up to
	// LimitBytes; 0 there means as much as the rings take, or DefaultLimitBytes.
	ExactBytes, LimitBytes uint64

	MaxClients  int    // 0 = DefaultMaxClients
	MemoryBytes uint64 // per client: results not sent yet; 0 = DefaultMemoryBytes
	SocketBytes int    // kernel buffer of each direction; 0 = DefaultSocketBytes, negative = the system's

	// Progress is the time in which a chunk begun grows by 64 KiB or is complete,
	// and a client takes what is sent to it; it is also the TCP user timeout and
	// the bound of a TLS handshake. Idle is how long a client may be silent between
	// chunks. 0 means DefaultProgress and no bound; negative means no bound.
	Progress, Idle time.Duration
	Grace          time.Duration // to deliver results once the bridge is to end; 0 = DefaultGrace

	TLS    *tls.Config  // nil = plain TCP
	Logger *slog.Logger // nil discards
}

// Bridge serves the seed protocol. New makes it, Serve runs it once; Stats may be
// called at any time.
type Bridge struct {
	cfg    Config
	limit  uint64
	exact  uint64
	logger *slog.Logger
	pool   sync.Pool // of *block

	inlet  sync.Mutex // one claim at a time in cfg.To
	routes routes
	tally  tally
	giveUp func(error) // ends Serve: a ring lost its memory
}

// New returns a bridge. Errors wrap ErrConfig.
func New(cfg Config) (*Bridge, error) {
	if (cfg.Kernel != nil) == (cfg.To != nil || cfg.From != nil) || (cfg.To != nil) != (cfg.From != nil) {
		return nil, fmt.Errorf("give either a kernel, or a ring for chunks and one for results: %w", ErrConfig)
	}
	b := &Bridge{cfg: cfg, exact: cfg.ExactBytes, logger: cfg.Logger}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	b.pool.New = func() any { return new(block) }
	if err := b.setLimit(); err != nil {
		return nil, err
	}
	c := &b.cfg
	setDefault(&c.MaxClients, DefaultMaxClients)
	setDefault(&c.MemoryBytes, DefaultMemoryBytes)
	setDefault(&c.SocketBytes, DefaultSocketBytes)
	setDefault(&c.Progress, DefaultProgress)
	setDefault(&c.Grace, DefaultGrace)
	c.Progress, c.Idle = max(0, c.Progress), max(0, c.Idle)
	var seed [4]byte
	rand.Read(seed[:])
	b.routes.base = uint64(binary.LittleEndian.Uint32(seed[:])) << 32
	b.routes.byID = map[uint64]*stream{}
	return b, nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// setLimit derives the largest chunk: PRIMARY and DELTA of it must fit a group of
// the ring of results.
func (b *Bridge) setLimit() error {
	most := uint64(1<<32-1) &^ 7
	if b.cfg.To != nil {
		to, from := b.cfg.To.Identity(), b.cfg.From.Identity()
		for _, id := range []*proto.Identity{to, from} {
			if id.Policy == proto.PolicyDropNewest {
				return fmt.Errorf("ring %q drops frames when it is full, a bridge needs rings that block: %w", id.Name, ErrConfig)
			}
		}
		const groupOfTwo = 4 // a group takes at most half the capacity
		most = min(to.FrameLimit, from.FrameLimit, from.Capacity/groupOfTwo-proto.HeadMax) &^ 7
	}
	b.limit = b.cfg.LimitBytes
	if b.limit == 0 {
		b.limit = most
		if b.cfg.Kernel != nil {
			b.limit = DefaultLimitBytes
		}
	}
	switch {
	case b.limit > most:
		return fmt.Errorf("chunk limit of %d bytes, the rings take %d: %w", b.limit, most, ErrConfig)
	case b.exact > b.limit || b.exact%proto.SeedItemBytes != 0:
		return fmt.Errorf("exact chunk length %d is not a multiple of %d up to %d: %w", b.exact, proto.SeedItemBytes, b.limit, ErrConfig)
	}
	return nil
}

// LimitBytes is the largest chunk the bridge takes.
func (b *Bridge) LimitBytes() uint64 { return b.limit }
