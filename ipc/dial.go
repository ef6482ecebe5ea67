//go:build linux

package ipc

import (
	"context"
	"fmt"
	"os"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Dial attaches a lossless reader to ring name. Unless cfg says otherwise it waits
// until a writer serves the ring, and begins at the oldest frame. ctx bounds Dial
// alone.
//
// Errors wrap ErrNoRing, ErrRefused (with a *RefusedError), ErrDenied, ErrDir, ErrFile,
// ErrHandshake, that of ctx, or those of proto for bad names.
func Dial(ctx context.Context, name string, cfg ReaderConfig) (*Reader, error) {
	if err := proto.CheckName(name); err != nil {
		return nil, fmt.Errorf("dial ring %q: %w", name, err)
	}
	hello, err := cfg.hello()
	if err != nil {
		return nil, fmt.Errorf("dial ring %q: %w", name, err)
	}
	r := &Reader{
		client: client{dir: cfg.Dir, name: name, log: loggerOr(cfg.Logger), noWait: cfg.NoWait, onWait: cfg.OnWait},
		hello:  hello, patience: orDefault(cfg.RestartWait, DefaultRestartWait), spin: spinOf(cfg.Spin),
	}
	if r.session, err = r.client.connect(ctx, &r.hello, endless); err != nil {
		return nil, fmt.Errorf("dial ring %q: %w", name, err)
	}
	r.client.noWait = false // a reconnect waits for a time of its own
	r.first = r.session.welcome
	if err = r.session.segmentMap.hold(cfg.Memory, r.Identity()); err == nil {
		err = r.begin()
	}
	if err != nil {
		r.session.close()
		return nil, fmt.Errorf("dial ring %q: %w", name, err)
	}
	return r, nil
}

func (cfg *ReaderConfig) hello() (proto.Hello, error) {
	h := proto.Hello{
		Major: proto.VersionMajor, Minor: proto.VersionMinor,
		Role: proto.RoleReader, Wake: cfg.Wake, Start: cfg.Start, Position: cfg.Position,
		PID: uint32(os.Getpid()), Name: cfg.Name,
		KeepMs: milliseconds(cfg.Keep), EvictMs: milliseconds(cfg.EvictAfter),
	}
	if h.Wake == 0 {
		h.Wake = proto.WakePark
	}
	if h.Start == 0 {
		h.Start = proto.StartOldest
	}
	if h.Wake == proto.WakePark && Register() {
		h.Flags = proto.HelloAsymmetric | proto.HelloBarrier
	}
	if h.Name != "" {
		return h, proto.CheckName(h.Name)
	}
	return h, nil
}

// begin makes the reader of the ring that the session's wake mode asks for.
func (r *Reader) begin() (err error) {
	s := r.session
	if r.hello.Wake == proto.WakeStream {
		r.news = &announcements{session: s, sent: s.welcome.Start, released: s.welcome.Start}
		r.stream = ring.NewStreamReader(s.segment, s.welcome.Start, r.news)
		return nil
	}
	r.park, err = ring.NewReader(s.segment, r.parkConfig())
	return err
}

// parkConfig is what the session means for a reader in park mode.
func (r *Reader) parkConfig() ring.ReaderConfig {
	s := r.session
	cfg := ring.ReaderConfig{
		Table: s.table, Slot: int(s.welcome.Slot), Generation: s.welcome.Generation, Position: s.welcome.Start,
		Sleeper: s.parker, WriterBell: s.writerBell, Spin: r.spin,
		Overslept: s.parker.overslept,
	}
	if s.welcome.Flags&proto.WelcomeAsymmetric != 0 && r.hello.Flags&proto.HelloAsymmetric != 0 {
		cfg.Asymmetric, cfg.Barrier = true, Barrier
	}
	return cfg
}
