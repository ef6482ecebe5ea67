package command

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ndring/ndring/cmd/ndring/feed"
	"github.com/ndring/ndring/cmd/ndring/provenance"
	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/kernel"
	"github.com/urfave/cli/v2"
)

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
	if s.Kernel != "affine" && (c.IsSet("scale") || c.IsSet("offset")) {
		return s, nil, usagef("--scale and --offset are of kernel affine, not of %s; leave them out", s.Kernel)
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
