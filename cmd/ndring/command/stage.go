package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ndring/ndring/cmd/ndring/feed"
	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ipc/stage"
	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
	"github.com/ndring/ndring/ring"
	"github.com/urfave/cli/v2"
)

func stageCommand() *cli.Command {
	flags := append(append(ringFlags(), kernelFlags()...),
		&cli.StringFlag{Name: "in", Usage: "rings to read, separated by commas; * and ? match rings that exist"},
		&cli.StringFlag{Name: "out", Usage: "ring to write"},
		&cli.BoolFlag{Name: "list", Usage: "list the kernels"},
		&cli.StringFlag{Name: "name", Usage: "name of this stage as a reader of its inputs"},
		&cli.DurationFlag{Name: "keep", Usage: "hold the place of this named stage so long if it dies"},
		&cli.StringFlag{Name: "wake", Value: "park", Usage: "park (sleep on shared memory) or stream (be told of each batch)"},
	)
	return &cli.Command{
		Name: "stage", Usage: "apply a kernel to the frames of rings, into another ring", Flags: flags, Action: runStage,
		Description: "Each frame gives a PRIMARY frame, the result, and from the second on a DELTA frame, the\nresult minus the one before.",
	}
}

// kernelFlags choose a kernel and its parameters.
func kernelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "kernel", Usage: "name of the kernel, see 'ndring stage --list'"},
		&cli.StringFlag{Name: "fx", Usage: "x of the model: numbers separated by commas, or a .npy file"},
		&cli.StringFlag{Name: "fy", Usage: "y of the model"},
		&cli.Float64Flag{Name: "scale", Usage: "factor of affine", Value: 1},
		&cli.Float64Flag{Name: "offset", Usage: "summand of affine"},
		&cli.BoolFlag{Name: "no-delta", Usage: "send PRIMARY only"},
	}
}

// step is what kernelFlags say.
func step(c *cli.Context) (provenance.Step, kernel.Kernel, error) {
	s := provenance.Step{Kernel: c.String("kernel"), Scale: c.Float64("scale"), Offset: c.Float64("offset"), NoDelta: c.Bool("no-delta")}
	if s.Kernel == "" {
		return s, nil, usagef("--kernel is missing; see 'ndring stage --list'")
	}
	if c.IsSet("scale") && s.Scale == 0 {
		return s, nil, usagef("--scale 0 would make every result the offset; give another factor")
	}
	var err error
	if s.Fx, err = model(c, "fx"); err != nil {
		return s, nil, err
	}
	if s.Fy, err = model(c, "fy"); err != nil {
		return s, nil, err
	}
	if len(s.Fy) > 0 && len(s.Fx) == 0 || len(s.Fx) > 0 && len(s.Fy) == 0 {
		return s, nil, usagef("--fx and --fy belong together; %d and %d values are given", len(s.Fx), len(s.Fy))
	}
	k, err := kernel.New(s.Kernel, s.Params())
	if err != nil {
		return s, nil, usageError{err}
	}
	return s, k, nil
}

// model reads one half of the model: a list of numbers, or a .npy file of any
// shape.
func model(c *cli.Context, flag string) ([]float64, error) {
	text := c.String(flag)
	if text == "" {
		return nil, nil
	}
	if !strings.HasSuffix(text, ".npy") {
		list, err := quantity.Numbers(text)
		if err != nil {
			return nil, usagef("--%s: %w", flag, err)
		}
		return list, nil
	}
	a, err := feed.ReadNPY(c.Context, text)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	values, err := a.Float64s()
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, text, err)
	}
	return slices.Collect(values), nil
}

func listKernels(c *cli.Context) error {
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	for _, e := range kernel.Registry() {
		fmt.Fprintf(w, "%s\t%s\n", e.Name, e.Doc)
	}
	return w.Flush()
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
	st, k, err := step(c)
	if err != nil {
		return stopped(c, err)
	}
	inputs, err := openInputs(c, st)
	defer closeInputs(inputs)
	if err != nil {
		return stopped(c, err)
	}
	cfg, err := stageConfig(c, st, identities(inputs))
	if err != nil {
		return err
	}
	out, err := openRing(c, c.String("out"), cfg)
	if err != nil {
		return stopped(c, err)
	}
	return process(c, out, inputs, stage.Config{Kernel: k, NoDelta: st.NoDelta, Logger: logger(c)})
}

// process runs the stage to the end of its inputs.
func process(c *cli.Context, out *ipc.Writer, inputs []*ipc.Reader, cfg stage.Config) error {
	sources := make([]stage.Source, len(inputs))
	for i, in := range inputs {
		sources[i] = primaries{in}
	}
	s, err := stage.New(out, cfg, sources...)
	if err == nil && out.Epoch() > 1 {
		err = resume(c.Context, s, out)
	}
	if err != nil {
		return errors.Join(err, closeRing(c, out))
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
	err = errors.Join(err, closeRing(c, out))
	return reportStage(c, out.Name(), s, p, err)
}

// primaries reads a ring without its DELTA frames: behind another stage, each
// PRIMARY is what this one continues.
type primaries struct{ *ipc.Reader }

func (p primaries) Next(ctx context.Context) (*ring.Frame, error) {
	for {
		if err := ctx.Err(); err != nil { // the reader does not look while there are frames
			return nil, err
		}
		f, err := p.Reader.Next(ctx)
		if err != nil || f.Kind() != proto.KindData || f.Header().Role != proto.RoleDelta {
			return f, err
		}
	}
}

// resume takes up what an earlier life of the stage left in the output ring.
func resume(ctx context.Context, s *stage.Stage, out *ipc.Writer) error {
	snapshot, err := ipc.OpenSnapshot(out.Dir(), out.Name())
	if err != nil {
		return err
	}
	defer snapshot.Close()
	return s.Resume(ctx, snapshot.Segment)
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

// openInputs attaches to all inputs once each is found to suit the stage.
func openInputs(c *cli.Context, st provenance.Step) ([]*ipc.Reader, error) {
	cfg, err := stageReader(c)
	if err != nil {
		return nil, err
	}
	names, err := inputNames(c)
	if err != nil {
		return nil, err
	}
	var ids []*proto.Identity
	for _, name := range names {
		id, err := peek(c, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, &id)
	}
	if _, err := stageConfig(c, st, ids); err != nil {
		return nil, err
	}
	var inputs []*ipc.Reader
	for _, name := range names {
		r, err := ipc.Dial(c.Context, name, cfg)
		if err != nil {
			return inputs, err
		}
		inputs = append(inputs, r)
	}
	return inputs, nil
}

func identities(inputs []*ipc.Reader) []*proto.Identity {
	ids := make([]*proto.Identity, len(inputs))
	for i, in := range inputs {
		ids[i] = in.Identity()
	}
	return ids
}

// stageReader is how a stage reads: from the oldest frame on.
func stageReader(c *cli.Context) (ipc.ReaderConfig, error) {
	cfg := ipc.ReaderConfig{
		Name: c.String("name"), Keep: c.Duration("keep"), Start: proto.StartOldest,
		Spin: spin(c), OnWait: waiting(c), Logger: logger(c),
	}
	switch wake := c.String("wake"); wake {
	case "park":
		cfg.Wake = proto.WakePark
	case "stream":
		cfg.Wake = proto.WakeStream
	default:
		return cfg, usagef("--wake %q; use park or stream", wake)
	}
	if cfg.Keep > 0 && cfg.Name == "" {
		return cfg, usagef("--keep needs --name: only a named reader can come back")
	}
	return cfg, nil
}

func closeInputs(inputs []*ipc.Reader) {
	for _, in := range inputs {
		in.Close()
	}
}

// inputNames resolves --in. Patterns match the rings that exist; until one does,
// it waits.
func inputNames(c *cli.Context) ([]string, error) {
	var names []string
	for _, part := range strings.Split(c.String("in"), ",") {
		part = strings.TrimSpace(part)
		if !strings.ContainsAny(part, "*?[") {
			names = append(names, part)
			continue
		}
		matched, err := matches(c, part)
		if err != nil {
			return nil, err
		}
		names = append(names, matched...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if slices.Contains(names, c.String("out")) {
		return nil, usagef("ring %s is both input and output", c.String("out"))
	}
	return names, nil
}

func matches(c *cli.Context, pattern string) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, usagef("--in %q: %w", pattern, err)
	}
	for told := false; ; told = true {
		rings, err := ipc.List("")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		var names []string
		for _, r := range rings {
			if ok, _ := path.Match(pattern, r.Name); ok && r.Name != c.String("out") {
				names = append(names, r.Name)
			}
		}
		if len(names) > 0 {
			return names, nil
		}
		if !told {
			say(c, "waiting for a ring that matches %s", pattern)
		}
		if err := pause(c.Context, lookInterval); err != nil {
			return nil, err
		}
	}
}

// stageConfig describes the output ring for inputs that suit the stage. Unless
// --capacity says otherwise it holds two pairs of the largest results.
func stageConfig(c *cli.Context, st provenance.Step, inputs []*proto.Identity) (ipc.WriterConfig, error) {
	var largest uint64
	var sources []provenance.Provenance
	for _, id := range inputs {
		if dt := id.Schema.DType; dt != 0 && dt != proto.F64 {
			return ipc.WriterConfig{}, fmt.Errorf("ring %s holds %v, kernels take f64: convert it before the stage", id.Name, dt)
		}
		largest = max(largest, largestPayload(id))
		p, err := provenance.Parse(id.Meta)
		if err != nil {
			p = provenance.Provenance{Source: provenance.Source{Kind: provenance.KindForeign}}
		}
		sources = append(sources, p)
	}
	pair := 2 * proto.MaxFrameBytes(largest)
	cfg, err := writerConfig(c, 2*pair)
	if err != nil {
		return cfg, err
	}
	if capacity := max(cfg.Capacity, proto.MinCapacityBytes); c.IsSet("capacity") && pair > capacity/2 {
		return cfg, usagef("PRIMARY and DELTA of an input frame of up to %s need a ring of at least %s, --capacity is %s",
			quantity.Bytes(largest), quantity.Bytes(2*pair), c.String("capacity"))
	}
	cfg.Schema = resultSchema(inputs)
	cfg.Meta, err = provenance.Join(sources).Then(st).Encode()
	return cfg, err
}

// largestPayload is the size of the largest frame of a ring, from its schema if
// that says so.
func largestPayload(id *proto.Identity) uint64 {
	s := &id.Schema
	if s.NDim > proto.MaxDims || slices.Contains(s.Shape[:s.NDim], proto.AnyDim) {
		return id.FrameLimit
	}
	shape := make([]int, s.NDim)
	for i := range shape {
		shape[i] = int(s.Shape[i])
	}
	d, err := nd.Contiguous(s.DType, shape...)
	if err != nil {
		return id.FrameLimit
	}
	return min(id.FrameLimit, uint64(d.Bytes()))
}

// resultSchema is what all results have in common.
func resultSchema(inputs []*proto.Identity) proto.Schema {
	common := inputs[0].Schema
	for _, id := range inputs {
		if s := id.Schema; s != common || s.DType != proto.F64 {
			return proto.Schema{DType: proto.F64, NDim: proto.AnyNDim}
		}
	}
	return common
}
