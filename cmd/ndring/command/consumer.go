package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

// reading is how rings are read.
type reading struct {
	cfg    ipc.ReaderConfig
	lossy  bool
	verify bool
}

// consumer reads, prints and verifies the frames of one ring.
type consumer struct {
	name     string
	how      *reading
	tally    *tally
	printer  *render.Printer
	from     frames // nil until the ring was there
	attached atomic.Bool
	audit    *provenance.Audit // nil unless verifying
	counts   counts
	lost     uint64
	sum      summary // once it ended
}

// consume reads the ring until its end, until every frame that is wanted is taken, or
// until the context ends, which is no error. Errors name the ring.
func (s *consumer) consume(c *cli.Context) error {
	err := s.attach(c)
	if s.from != nil {
		defer s.from.Close()
	}
	if err == nil {
		err = s.atEnd(ipc.Guard(func() error { return s.run(c.Context) }, s.from))
	}
	if errors.Is(err, context.Canceled) && c.Context.Err() != nil {
		err = nil
	}
	s.report(c, err)
	return err
}

// attach waits for the ring. One that cannot be verified is not disturbed.
func (s *consumer) attach(c *cli.Context) error {
	if s.how.verify {
		id, err := peek(c, s.name, s.how.cfg.OnWait)
		if err == nil {
			err = s.verifyBy(&id)
		}
		if err != nil {
			return err
		}
	}
	var err error
	if s.from, err = s.how.open(c, s.name); err != nil {
		return err
	}
	if s.how.verify { // it may be another ring by now
		if err := s.verifyBy(s.from.Identity()); err != nil {
			return err
		}
	}
	s.counts.start()
	s.attached.Store(true)
	return nil
}

// verifyBy prepares to verify frames by a ring's metadata.
func (s *consumer) verifyBy(id *proto.Identity) error {
	p, err := provenance.Parse(id.Meta)
	if err == nil {
		s.audit, err = provenance.NewAudit(p, s.how.lossy)
	}
	if err != nil {
		return fmt.Errorf("verify ring %s: %w", s.name, err)
	}
	return nil
}

// run handles frames until enough are taken; at the end of the ring it returns io.EOF.
func (s *consumer) run(ctx context.Context) error {
	for !s.tally.full() {
		if err := ctx.Err(); err != nil { // Next does not look while there are frames
			return err
		}
		f, err := s.from.Next(ctx)
		if o, ok := s.from.(lossy); ok && err != nil {
			s.lost = o.Lost() // those missed before the end, too
		}
		if err != nil {
			return err
		}
		if f.Kind() == proto.KindData && !s.tally.take() {
			return nil
		}
		if err := s.frame(f); err != nil {
			return err
		}
		if err := s.from.Release(); err != nil {
			return err
		}
	}
	return nil
}

func (s *consumer) frame(f *ring.Frame) error {
	s.lost += f.Lost()
	if s.audit != nil {
		if err := s.verify(f); err != nil {
			return err
		}
	}
	if err := s.tally.show(s.printer, f); err != nil {
		return err
	}
	if f.Kind() == proto.KindData {
		s.counts.add(len(f.Payload()))
	}
	return nil
}

func (s *consumer) verify(f *ring.Frame) error {
	h := f.Header()
	a, err := f.Array()
	if err != nil {
		return err
	}
	return s.audit.Frame(&h, a)
}

// atEnd judges what ended the reading.
func (s *consumer) atEnd(err error) error {
	ended := errors.Is(err, io.EOF)
	if ended {
		err = nil
	}
	if err == nil {
		err = s.tally.flush()
	}
	if ended && s.audit != nil {
		err = errors.Join(err, s.audit.Close())
	}
	if err == nil || errors.Is(err, ipc.ErrWriterLost) { // which names the ring
		return err
	}
	return fmt.Errorf("ring %s: %w", s.name, err)
}

// summary is what came of it, for machines.
type summary struct {
	totals
	Lost     uint64    `json:"lost"`
	Verified *verified `json:"verified,omitempty"`
	Error    string    `json:"error,omitempty"`
	Rings    []summary `json:"rings,omitempty"` // in that of several
}

type verified struct {
	Primary uint64 `json:"primary"`
	Delta   uint64 `json:"delta"`
	Rounded uint64 `json:"rounded_values"`
}

func (s *consumer) report(c *cli.Context, err error) {
	s.sum = summary{totals: s.counts.totals(s.name), Lost: s.lost}
	if err != nil {
		s.sum.Error = err.Error()
	}
	if !s.attached.Load() {
		if err == nil {
			say(c, "%s: no frames, the ring was not there", s.name)
		}
		return
	}
	if s.lost > 0 {
		say(c, "%s: %d frames missed", s.name, s.lost)
	}
	say(c, "%s: %s", s.name, s.counts.summary())
	if a := s.audit; a != nil {
		s.sum.Verified = &verified{a.Primary, a.Delta, a.Rounded}
		s.sum.Verified.say(c, s.name)
	}
}

func (v *verified) say(c *cli.Context, what string) {
	say(c, "%s: verified %d PRIMARY, %d DELTA", what, v.Primary, v.Delta)
	if v.Rounded > 0 {
		say(c, "%s: %d values of DELTA are rounded: no float64 holds their difference", what, v.Rounded)
	}
}
