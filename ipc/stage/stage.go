package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Source is an input ring: a lossless reader in park or stream mode.
type Source interface {
	Next(ctx context.Context) (*ring.Frame, error)
	Release() error
	Identity() *proto.Identity
}

// Sink is an output ring.
type Sink interface {
	ClaimGroup(ctx context.Context, heads []proto.Header) (*ring.Group, error)
}

// Bounds of what a stage remembers of each input, unless Config says otherwise.
const (
	DefaultMaxStreams    = 1 << 16
	DefaultMaxStateBytes = 1 << 30
)

// Config is what a stage does.
type Config struct {
	Kernel  kernel.Kernel
	NoDelta bool // PRIMARY only; the stage then keeps no results
	// Journal keeps for the next life what the output ring does not show any more; with
	// it, Resume is called before Run. nil keeps nothing.
	Journal Journal
	Params  string // what Kernel was made with; a next life with another is refused
	// MaxStreams and MaxStateBytes bound the state of one input: streams at a time,
	// and bytes of their last results. 0 means the defaults. The stream that was
	// silent longest is ended to make room for another.
	MaxStreams    int
	MaxStateBytes int64
	Logger        *slog.Logger // nil discards
}

// Stage applies a kernel to every frame of its inputs. New makes it, Run runs it
// once; Stats may be called at any time from any goroutine.
type Stage struct {
	cfg    Config
	out    Sink
	mu     sync.Mutex // one claim at a time; not locked for a single input
	ahead  bool       // guarded by mu: a stream's state is that of a result not committed
	fed    []*input   // the inputs, as New got them
	inputs []*input   // these first, then rings read in an earlier life
	ledger *ledger    // nil without a journal
}

// New returns a stage that writes to out what it computes from each of in. Inputs that
// have ended (Ended) are left out; where all have, a stage with a journal has none. The
// error wraps ErrConfig. The stage closes no ring but an input that has ended, if it is
// an io.Closer, as soon as that stands in the journal.
func New(out Sink, cfg Config, in ...Source) (*Stage, error) {
	switch {
	case cfg.Kernel == nil:
		return nil, fmt.Errorf("no kernel: %w", ErrConfig)
	case out == nil:
		return nil, fmt.Errorf("no output ring: %w", ErrConfig)
	case len(in) == 0 && cfg.Journal == nil:
		return nil, fmt.Errorf("no input ring: %w", ErrConfig)
	}
	if cfg.MaxStreams <= 0 {
		cfg.MaxStreams = DefaultMaxStreams
	}
	if cfg.MaxStateBytes <= 0 {
		cfg.MaxStateBytes = DefaultMaxStateBytes
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Stage{cfg: cfg, out: out}
	names := map[proto.RingID]string{}
	for _, src := range in {
		id := src.Identity()
		if other, twice := names[id.RingID]; twice {
			return nil, fmt.Errorf("inputs %q and %q are the same ring: %w", other, id.Name, ErrConfig)
		}
		names[id.RingID] = id.Name
		s.inputs = append(s.inputs, newInput(s, src))
	}
	s.fed = slices.Clone(s.inputs)
	return s, nil
}

// Run reads every input to its end and returns nil, or the first error: those of
// ctx and of the rings, ErrDType, ErrEvicted and ErrJournal, and ring.ErrSegmentLost where a ring
// that is a ring.Region, as those of package ipc are, loses its memory. It runs once. The inputs are left
// where the first uncommitted result belongs.
func (s *Stage) Run(ctx context.Context) error {
	if s.cfg.Journal != nil && s.ledger == nil {
		return fmt.Errorf("a stage with a journal is to be resumed first: %w", ErrConfig)
	}
	if err := s.endAbandoned(ctx); err != nil {
		return err
	}
	if len(s.fed) == 1 {
		return s.fed[0].run(ctx)
	}
	all, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(s.fed))
	var wg sync.WaitGroup
	for i, in := range s.fed {
		wg.Go(func() {
			if errs[i] = in.run(all); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return first(errs)
}

// first is the error that made the others stop: any but a cancellation, if there
// is one.
func first(errs []error) error {
	var cancelled error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		if cancelled == nil {
			cancelled = err
		}
	}
	return cancelled
}

// Stats is how far an input got.
type Stats struct {
	Ring     string // name of the input ring
	Frames   uint64 // data frames read and answered
	Deltas   uint64 // of these, with a DELTA
	Skipped  uint64 // frames answered in an earlier life
	Dropped  uint64 // results the output ring refused by its policy
	Streams  uint64 // streams known now
	Ended    uint64 // streams ended by their source
	Evicted  uint64 // streams ended by the stage: no room, last result lost, or writer replaced
	Position uint64 // all of the input ring before it is answered
}

// Stats returns the figures of each input in the order given to New. The figures
// of one input were true one after the other, not together.
func (s *Stage) Stats() []Stats {
	out := make([]Stats, len(s.fed))
	for i, in := range s.fed {
		c := &in.count
		out[i] = Stats{
			Ring: in.name, Frames: c.frames.Load(), Deltas: c.deltas.Load(),
			Skipped: c.skipped.Load(), Dropped: c.dropped.Load(), Streams: c.streams.Load(),
			Ended: c.ended.Load(), Evicted: c.evicted.Load(), Position: c.position.Load(),
		}
	}
	return out
}
