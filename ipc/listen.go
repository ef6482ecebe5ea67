//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Listen makes this process the writer of ring name and serves readers until
// Close. An unfinished ring that a dead writer left is continued: its committed
// frames stay, and its readers get cfg.Grace to return. ctx bounds Listen alone.
//
// Errors wrap ErrWriterAlive, ErrNoSpace, ErrDir, ErrFile, or those of proto for a
// bad name or geometry. What is left of an earlier ring stays as it is with
// ErrMismatch or ErrLeftover, and is replaced with cfg.Recreate.
func Listen(ctx context.Context, name string, cfg WriterConfig) (*Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, err := cfg.identity(name)
	if err != nil {
		return nil, fmt.Errorf("listen on ring %q: %w", name, err)
	}
	dir, err := openDirectory(cfg.Dir, true)
	if err != nil {
		return nil, fmt.Errorf("listen on ring %q: %w", name, err)
	}
	lock, err := takeLock(dir, name)
	if err != nil {
		dir.close()
		if errors.Is(err, ErrWriterAlive) { // it names the ring
			return nil, fmt.Errorf("listen: %w", err)
		}
		return nil, fmt.Errorf("listen on ring %q: %w", name, err)
	}
	w := &Writer{dir: dir, lock: lock, log: loggerOr(cfg.Logger), name: name}
	w.journal = Journal{dir: dir, name: name + stateSuffix}
	if err := w.open(&id, &cfg); err != nil {
		w.tearDown(false)
		return nil, fmt.Errorf("listen on ring %q: %w", name, err)
	}
	return w, nil
}

// open finds or makes the ring's memory and starts its control plane.
func (w *Writer) open(id *proto.Identity, cfg *WriterConfig) error {
	bell, err := newDoorbell()
	if err != nil {
		return err
	}
	w.parker = &parker{bell: bell}
	if err := w.takeOver(id, cfg); err != nil {
		return err
	}
	return w.serve(orDefault(cfg.Grace, DefaultGrace))
}

// takeOver continues a left-over ring or makes a new one. When it fails, what
// could be continued stays.
func (w *Writer) takeOver(id *proto.Identity, cfg *WriterConfig) error {
	st, err := resumeStore(w.dir, id)
	if st != nil {
		err = w.start(st, cfg)
		if err == nil {
			w.log.Info("ring continued", "ring", id.Name, "epoch", w.ring.Epoch(), "position", w.ring.Position())
			return nil
		}
	}
	if err != nil && !errors.Is(err, errUnusable) && !(cfg.Recreate && beyondRepair(err)) {
		if beyondRepair(err) && !errors.Is(err, ErrMismatch) {
			err = fmt.Errorf("%w: %w", ErrLeftover, err)
		}
		return err
	}
	if err != nil {
		w.log.Warn("left-over ring removed", "ring", id.Name, "reason", err)
	}
	if err := removeRing(w.dir, id.Name); err != nil {
		return err
	}
	if st, err = createStore(w.dir, id); err != nil {
		return err
	}
	if err := w.start(st, cfg); err != nil {
		return errors.Join(err, removeRing(w.dir, id.Name))
	}
	return nil
}

// start makes a ring.Writer of the memory and names the files. It closes st when
// it fails.
func (w *Writer) start(st *store, cfg *WriterConfig) error {
	asymmetric := Register()
	rc := ring.WriterConfig{
		Sleeper: w.parker, Spin: spinOf(cfg.Spin), FreeRun: cfg.FreeRun,
		Asymmetric: asymmetric, Recovered: st.old, OnEvict: w.onEvict, PID: uint32(os.Getpid()),
	}
	if asymmetric {
		rc.Barrier = Barrier
	}
	var writer *ring.Writer
	err := Guard(func() (err error) {
		if writer, err = ring.NewWriter(st.segment, st.table, rc); err != nil {
			return err
		}
		return st.segmentMap.hold(cfg.Memory, st.segment.Identity())
	}, st)
	if err != nil {
		st.close()
		return err
	}
	if err := st.publish(); err != nil {
		st.close()
		return err
	}
	w.ring, w.store, w.asymmetric = writer, st, asymmetric
	return nil
}

// serve opens the control socket and starts the server.
func (w *Writer) serve(grace time.Duration) error {
	s, err := newServer(w, grace)
	if err != nil {
		if w.ring.Epoch() == 1 { // nobody can have known it
			err = errors.Join(err, removeRing(w.dir, w.name))
		}
		return err
	}
	w.server, w.served = s, make(chan struct{})
	err = Guard(func() error {
		s.inherit()
		return nil
	}, w)
	if err != nil {
		w.ring.Abandon(err)
	}
	go func() {
		defer close(w.served)
		s.serve()
	}()
	return err
}

// newServer opens what the server needs. On an error nothing stays open.
func newServer(w *Writer, grace time.Duration) (*server, error) {
	s := &server{
		dir: w.dir, name: w.name, store: w.store, id: w.store.segment.Identity(), w: w.ring, table: w.store.table, log: w.log,
		bell: w.parker.bell, grace: grace, segment: -1, tableRead: -1, tableFull: -1, spare: spare{noSpare},
		clients: map[*connection]struct{}{}, bySlot: map[int]*connection{}, lost: map[int]*lostSlot{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if w.asymmetric {
		s.welcome = proto.WelcomeAsymmetric
	}
	if err := s.open(w.store); err != nil {
		s.hangUpAll()
		return nil, err
	}
	return s, nil
}

func (s *server) open(st *store) (err error) {
	if s.segment, err = reopen(st.segmentFile, os.O_RDONLY); err != nil {
		return err
	}
	if s.tableRead, err = reopen(st.tableFile, os.O_RDONLY); err != nil {
		return err
	}
	if s.tableFull, err = reopen(st.tableFile, os.O_RDWR); err != nil {
		return err
	}
	if s.loop, err = newLoop(); err != nil {
		return err
	}
	if s.listen, err = listenSocket(s.dir, s.name); err != nil {
		return err
	}
	if s.door, err = s.loop.watch(s.listen.fd, s.acceptSome); err != nil {
		return err
	}
	return s.spare.keep(s.listen.fd)
}
