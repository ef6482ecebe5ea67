package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/ndring/ndring/ring"
)

// service is one run of Serve.
type service struct {
	bridge   *Bridge
	listener net.Listener
	clients  sync.WaitGroup
	full     bool // the last client was turned away
}

// Serve accepts clients until ctx is done, then takes no more chunks, delivers what
// is owed within the grace time, ends every connection and returns nil. It closes
// l. It returns an error when accepting fails or when the rings fail; then every
// client is cut off. Serve runs once.
func (b *Bridge) Serve(ctx context.Context, l net.Listener) error {
	sv := &service{bridge: b, listener: l}
	defer l.Close()
	run, end := context.WithCancelCause(context.WithoutCancel(ctx))
	cancel := func() { end(nil) }
	defer cancel()
	accepting, stopAccepting := context.WithCancel(ctx)
	defer stopAccepting()
	b.giveUp = func(err error) {
		stopAccepting()
		end(err)
	}
	failed := make(chan error, 1)
	if b.cfg.Kernel == nil {
		go func() {
			err := b.newDelivery().run(run)
			stopAccepting()
			cancel()
			failed <- err
		}()
	} else {
		failed <- nil
	}
	err := sv.accept(accepting, run)
	sv.finish(run, err == nil)
	cancel()
	if e := <-failed; e != nil {
		return e
	}
	if cause := context.Cause(run); errors.Is(cause, ring.ErrSegmentLost) {
		return fmt.Errorf("rings %q and %q: %w", b.cfg.To.Identity().Name, b.cfg.From.Identity().Name, cause)
	}
	return err
}

// regions are those of the bridge's rings whose memory can be lost.
func (b *Bridge) regions() []ring.Region {
	var all []ring.Region
	for _, r := range []any{b.cfg.To, b.cfg.From} {
		if r, ok := r.(ring.Region); ok {
			all = append(all, r)
		}
	}
	return all
}

// accept takes clients on until ctx is done; they run until run is.
func (sv *service) accept(ctx, run context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = sv.listener.Close() })()
	var pause time.Duration
	for {
		conn, err := sv.listener.Accept()
		switch {
		case err == nil:
			pause = 0
			sv.take(run, conn)
		case ctx.Err() != nil:
			return nil
		case exhausted(err):
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			sv.bridge.logger.Warn("cannot accept for now", "error", err.Error(), "pause", pause)
			wait(ctx, pause)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept: %w", err)
		default:
			var ne net.Error
			if !errors.As(err, &ne) {
				return fmt.Errorf("accept: %w", err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			wait(ctx, pause)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// take starts a client, or turns it away.
func (sv *service) take(run context.Context, conn net.Conn) {
	b := sv.bridge
	if int(b.tally.clients.Load()) >= b.cfg.MaxClients {
		b.tally.turnedAway.Add(1)
		if !sv.full {
			b.logger.Warn("client turned away", "client", conn.RemoteAddr().String(), "max_clients", b.cfg.MaxClients)
		}
		sv.full = true
		_ = conn.Close()
		return
	}
	sv.full = false
	s, err := b.newStream(conn)
	if err != nil {
		b.logger.Warn("client cannot be served", "client", conn.RemoteAddr().String(), "error", err.Error())
		_ = conn.Close()
		return
	}
	b.tally.accepted.Add(1)
	b.tally.clients.Add(1)
	b.logger.Debug("client connected", "client", conn.RemoteAddr().String(), "stream", s.id)
	sv.clients.Go(func() {
		defer b.tally.clients.Add(^uint64(0))
		s.serve(run)
	})
}

// finish ends every client: orderly within the grace time, then at once.
func (sv *service) finish(run context.Context, orderly bool) {
	b := sv.bridge
	for _, s := range b.routes.all() {
		s.stop()
	}
	done := make(chan struct{})
	go func() {
		sv.clients.Wait()
		close(done)
	}()
	if orderly {
		grace := time.NewTimer(b.cfg.Grace)
		defer grace.Stop()
		select {
		case <-done:
			return
		case <-grace.C:
		case <-run.Done():
		}
	}
	for _, s := range b.routes.all() {
		s.kill(errStopped)
		_ = s.conn.Close()
	}
	<-done
}
