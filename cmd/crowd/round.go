package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
)

// phases of a round, in order.
const (
	alone = iota
	idle
	hostile
	after
	phaseCount
)

// look is what one phase showed.
type look struct {
	resident    uint64 // bytes
	descriptors int
	answer      quantiles // of the client that waits
	commit      quantiles // of the writer
}

type round [phaseCount]look

// stand is the processes of a round.
type stand struct {
	bridge, stage, writer, consumer *child
	address                         string
	client                          *bridge.Client
	phase                           time.Duration
}

// hold runs the plan.
func hold(ctx context.Context, p plan, stderr io.Writer) (*report, error) {
	r := &report{plan: p}
	for n := range p.rounds {
		fmt.Fprintf(stderr, "round %d of %d\n", n+1, p.rounds)
		one, err := runRound(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", n+1, err)
		}
		r.rounds = append(r.rounds, one)
	}
	return r, nil
}

func runRound(ctx context.Context, p plan) (one round, err error) {
	dir, err := os.MkdirTemp("/dev/shm", "ndring-crowd-*")
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &stand{phase: p.phase}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.begin(ctx, dir, p.program); err != nil {
		return one, err
	}
	return one, s.run(ctx, p, &one)
}

func (s *stand) begin(ctx context.Context, dir, program string) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if s.bridge, err = begin(dir, "bridge", program, "bridge", "--listen", "127.0.0.1:0", "--to", "chunks", "--from", "answers", "--max-clients", "1000000"); err != nil {
		return err
	}
	if s.stage, err = begin(dir, "stage", program, "stage", "--in", "chunks", "--out", "answers", "--kernel", "arcsec"); err != nil {
		return err
	}
	if s.writer, err = begin(dir, "writer", self, writerRole); err != nil {
		return err
	}
	if s.consumer, err = begin(dir, "consumer", program, "consume", pairRing); err != nil {
		return err
	}
	if s.address, err = s.bridge.address(ctx); err != nil {
		return err
	}
	s.client, err = bridge.Dial(ctx, s.address, bridge.ClientConfig{})
	return err
}

// end ends what was started, in the order of the data.
func (s *stand) end() error {
	if s.client != nil {
		_ = s.client.Close()
	}
	var err error
	for _, c := range []*child{s.bridge, s.stage, s.writer, s.consumer} {
		if c != nil {
			err = errors.Join(err, c.end())
		}
	}
	return err
}

func (s *stand) run(ctx context.Context, p plan, one *round) error {
	if err := s.measure(ctx, &one[alone]); err != nil {
		return err
	}
	crowd, err := gather(ctx, s.address, p.idle)
	if err != nil {
		return err
	}
	defer disperse(crowd)
	if err := s.measure(ctx, &one[idle]); err != nil {
		return err
	}
	bad, calm := context.WithCancel(ctx)
	var all sync.WaitGroup
	pester(bad, &all, s.address, p.tricklers, trickle)
	var never deaf
	pester(bad, &all, s.address, p.deaf, never.flood)
	pester(bad, &all, s.address, p.babblers, babble)
	never.stalled(ctx)
	err = s.measure(ctx, &one[hostile])
	calm()
	all.Wait()
	if err != nil {
		return err
	}
	if err := each(len(crowd), func(i int) error { return crowd[i].play() }); err != nil {
		return fmt.Errorf("an idle client is served no more: %w", err)
	}
	disperse(crowd)
	if err := s.settle(ctx, one[alone].descriptors); err != nil {
		return err
	}
	return s.measure(ctx, &one[after])
}

// settle waits until the bridge has closed everybody but the waiting client.
func (s *stand) settle(ctx context.Context, descriptors int) error {
	have := 0
	for range 600 {
		var err error
		if have, err = s.bridge.descriptors(); err != nil {
			return err
		}
		if have <= descriptors {
			return nil
		}
		pause(ctx, 100*time.Millisecond)
	}
	return fmt.Errorf("a minute after everybody hung up the bridge holds %d descriptors, %d before", have, descriptors)
}

// measure looks at one phase.
func (s *stand) measure(ctx context.Context, l *look) error {
	if _, err := s.order(); err != nil { // what was before does not count
		return err
	}
	timed, cancel := context.WithTimeout(ctx, s.phase)
	defer cancel()
	latency, err := waiter(timed, s.client)
	if err != nil {
		return fmt.Errorf("the waiting client: %w", err)
	}
	l.answer = quantilesOf(latency)
	if l.commit, err = s.order(); err != nil {
		return err
	}
	if l.resident, err = s.bridge.residentBytes(); err != nil {
		return err
	}
	l.descriptors, err = s.bridge.descriptors()
	return errors.Join(err, ctx.Err())
}

// order asks the writer for the quantiles since it was asked before.
func (s *stand) order() (q quantiles, err error) {
	if _, err := io.WriteString(s.writer.in, "\n"); err != nil {
		return q, fmt.Errorf("writer: %w", err)
	}
	line, err := s.writer.out.ReadBytes('\n')
	if err != nil {
		return q, fmt.Errorf("writer: %w", err)
	}
	return q, json.Unmarshal(line, &q)
}
