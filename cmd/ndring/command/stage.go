package command

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

func stageCommand() *cli.Command {
	flags := append(slices.Concat(ringFlags(), kernelFlags(), placeFlags()),
		inFlag(),
		&cli.StringFlag{Name: "out", Usage: "ring to write"},
		&cli.BoolFlag{Name: "list", Usage: "list the kernels"},
	)
	return &cli.Command{
		Name: "stage", Usage: "apply a kernel to the frames of rings, into another ring", Flags: flags, Action: runStage,
		Description: "Each frame gives a PRIMARY frame, the result, and from the second on a DELTA frame, the\nresult minus the one before.",
	}
}

func runStage(c *cli.Context) error {
	if c.Bool("list") {
		return listKernels(c)
	}
	if c.NArg() > 0 {
		return usagef("stage: unexpected %q; name the rings with --in and --out", c.Args().First())
	}
	if c.String("in") == "" || c.String("out") == "" {
		return usagef("stage: name the rings, as in 'ndring stage --in x --out y --kernel arcsec'")
	}
	list, err := ringList(c.String("in"))
	if err == nil {
		err = checkNames(c.String("out"))
	}
	if err != nil {
		return err
	}
	if slices.Contains(list, c.String("out")) {
		return usagef("ring %s is both input and output", c.String("out"))
	}
	st, k, err := step(c)
	if err != nil {
		return stopped(c, err)
	}
	left := legacyOf(c)
	list, over, err := left.without(list, c.String("out"))
	if err != nil {
		return err
	}
	if err := sayOver(c, over); err != nil {
		return err
	}
	if left.done && len(list) == 0 {
		return left.finish(c)
	}
	inputs, err := openInputs(c, list, st)
	if err == nil {
		err = runBetween(c, st, k, left.of(over), inputs)
	}
	closeInputs(inputs, err == nil)
	return stopped(c, err)
}

// runBetween makes the output ring and runs the stage between it and the inputs. left is
// nil unless inputs have ended.
func runBetween(c *cli.Context, st provenance.Step, k kernel.Kernel, left *legacy, inputs []*ipc.Reader) error {
	config := stageConfig
	if left != nil {
		config = left.config
	}
	cfg, err := config(c, st, identities(inputs))
	if err != nil {
		return err
	}
	params, err := json.Marshal(st)
	if err != nil {
		return err
	}
	out, err := openRing(c, c.String("out"), cfg)
	if err != nil {
		return err
	}
	if left != nil {
		if err := left.confirm(out); err != nil {
			return errors.Join(err, giveUp(c, out))
		}
	}
	return process(c, out, inputs, stage.Config{
		Kernel: k, NoDelta: st.NoDelta, Params: string(params), Journal: out.Journal(), Logger: logger(c),
	})
}

// process runs the stage to the end of its inputs.
func process(c *cli.Context, out *ipc.Writer, inputs []*ipc.Reader, cfg stage.Config) error {
	s, err := stage.New(out, cfg, sources(inputs)...)
	if err == nil {
		err = resume(c, s, out, inputs)
	}
	if err != nil {
		return errors.Join(err, giveUp(c, out))
	}
	p := startProgress(c, 0, func() string { return blockedNote(out) })
	counted := p.follow(func() (frames, bytes uint64) {
		for _, in := range s.Stats() {
			frames, bytes = frames+in.Frames, bytes+in.Position
		}
		return frames, bytes
	})
	err = s.Run(c.Context)
	counted()
	p.stop()
	err = errors.Join(err, settle(c, out, err))
	return reportStage(c, out.Name(), s, p, err)
}

// settle ends the output ring; but for want of its journal it is left as a death would
// leave it: the next stage goes on, where the end would make half of the results look
// like all of them.
func settle(c *cli.Context, out *ipc.Writer, err error) error {
	if !errors.Is(err, stage.ErrJournal) {
		return closeRing(c, out)
	}
	say(c, "%s: the ring stays; remove the cause and start the stage again with the same flags", out.Name())
	return out.Leave()
}

// giveUp ends a new ring. One of an earlier life stays: a stage that it suits can go on.
func giveUp(c *cli.Context, out *ipc.Writer) error {
	if out.Epoch() == 1 {
		return closeRing(c, out)
	}
	return out.Leave()
}

// resume takes up what an earlier life of the stage left in the output ring.
func resume(c *cli.Context, s *stage.Stage, out *ipc.Writer, inputs []*ipc.Reader) error {
	snapshot, err := ipc.OpenSnapshot(out.Dir(), out.Name())
	if err != nil {
		return err
	}
	defer snapshot.Close()
	if err := s.Resume(c.Context, snapshot.Segment); err != nil || out.Epoch() == 1 {
		return err
	}
	say(c, "%s: continued behind position %d", out.Name(), out.Position())
	for _, in := range inputs {
		if flags := in.Welcome().Flags; flags&proto.WelcomeResumed == 0 && flags&proto.WelcomeNewer != 0 {
			say(c, "%s: did not wait for this stage, frames may be missing; use --name and --keep", in.Identity().Name)
		}
	}
	return nil
}

func reportStage(c *cli.Context, out string, s *stage.Stage, p *progress, err error) error {
	stats := s.Stats()
	var frames, deltas uint64
	for _, in := range stats {
		frames, deltas = frames+in.Frames, deltas+in.Deltas
	}
	took := time.Since(p.started)
	say(c, "%s: %d PRIMARY, %d DELTA in %s (%s)", out, frames, deltas, took.Round(time.Millisecond), quantity.Rate(float64(frames)/took.Seconds()))
	if c.Context.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	if c.Bool("json") {
		return errors.Join(err, printJSON(c, struct {
			Out     string        `json:"out"`
			Seconds float64       `json:"seconds"`
			Inputs  []stage.Stats `json:"inputs"`
		}{out, took.Seconds(), stats}))
	}
	return err
}
