//go:build linux

package ipc

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"github.com/ndring/ndring/proto"
)

// Defaults of the configurations.
const (
	DefaultCapacity    = 64 << 20              // bytes
	DefaultSpin        = 20 * time.Microsecond // before parking
	DefaultGrace       = 5 * time.Second       // for readers of a writer that died
	DefaultRestartWait = 5 * time.Second       // for a writer that died
)

// WriterConfig describes a ring to be written. The zero value is a ring of
// DefaultCapacity for frames of any type that waits for its readers.
type WriterConfig struct {
	Dir        string       // "" = DefaultDir()
	Capacity   uint64       // bytes, rounded up to a power of two; 0 = DefaultCapacity
	FrameLimit uint64       // largest payload in bytes; 0 = a quarter of the capacity
	Schema     proto.Schema // what every frame must be; the zero value admits all
	Meta       []byte       // UTF-8 JSON for readers
	Policy     proto.Policy // when the ring is full
	FreeRun    bool         // do not wait for a first reader
	Slots      int          // reader slots; 0 = proto.DefaultSlots
	Spin       time.Duration
	Memory     Memory
	Recreate   bool          // replace a left-over ring that cannot be continued
	Grace      time.Duration // for the readers of a writer that died; 0 = DefaultGrace
	Logger     *slog.Logger  // nil = no log
	Start      uint64        // first position of a new ring
}

// identity is the ring that the configuration asks for.
func (cfg *WriterConfig) identity(name string) (proto.Identity, error) {
	capacity := cfg.Capacity
	if capacity == 0 {
		capacity = DefaultCapacity
	}
	if capacity > proto.MaxCapacityBytes {
		return proto.Identity{}, fmt.Errorf("capacity of %d bytes, at most %d: %w", capacity, uint64(proto.MaxCapacityBytes), proto.ErrGeometry)
	}
	capacity = max(proto.MinCapacityBytes, uint64(1)<<bits.Len64(capacity-1))
	id := proto.NewIdentity(name, capacity)
	if cfg.FrameLimit != 0 {
		id.FrameLimit = cfg.FrameLimit
	}
	if cfg.Slots != 0 {
		id.Slots = uint32(min(cfg.Slots, proto.MaxReaderSlots+1))
	}
	if cfg.Schema != (proto.Schema{}) {
		id.Schema = cfg.Schema
	}
	id.Meta, id.Policy, id.Start = cfg.Meta, cfg.Policy, cfg.Start
	id.CreatedNs = uint64(time.Now().UnixNano())
	id.CreatorPID, id.CreatorUID = uint32(os.Getpid()), uint32(os.Geteuid())
	id.CreatorExe = creatorName()
	rand.Read(id.RingID[:])
	return id, id.Check()
}

// creatorName is the program's base name, cut to what the identity can hold.
func creatorName() string {
	name := filepath.Base(os.Args[0])
	return name[:min(len(name), proto.MaxNameBytes)]
}

// ReaderConfig describes a lossless reader. The zero value is an unnamed one that
// begins at the oldest frame and waits for the ring to appear.
type ReaderConfig struct {
	Dir         string // "" = DefaultDir()
	Name        string // a second reader of this name is refused
	Start       proto.Start
	Position    uint64        // for proto.StartPosition
	Wake        proto.Wake    // 0 = proto.WakePark
	NoWait      bool          // fail with ErrNoRing when nobody serves the ring
	OnWait      func(string)  // called once with the ring's name when Dial waits
	Keep        time.Duration // how long the writer waits for a named reader that died, and for its Close at the end
	EvictAfter  time.Duration // how long it may hold up a full ring; 0 = for ever
	Spin        time.Duration
	Memory      Memory
	RestartWait time.Duration // for a writer that died; 0 = DefaultRestartWait, negative = none
	Logger      *slog.Logger  // nil = no log
}

// ObserverConfig describes a lossy reader.
type ObserverConfig struct {
	Dir         string // "" = DefaultDir()
	Start       proto.Start
	Position    uint64        // for proto.StartPosition
	NoWait      bool          // fail with ErrNoRing when nobody serves the ring
	OnWait      func(string)  // called once with the ring's name when Observe waits
	RestartWait time.Duration // for a writer that died; 0 = DefaultRestartWait, negative = none
	Logger      *slog.Logger  // nil = no log
}

func spinOf(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultSpin
	}
	return max(0, d)
}

func orDefault(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return max(0, d)
}

func loggerOr(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(0, (d+time.Millisecond-1)/time.Millisecond), 1<<32-1))
}
