package command

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version of program, layout and protocol", Flags: []cli.Flag{jsonFlag()}, Action: version,
	}
}

// about is what the build knows of itself.
type about struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Layout   string `json:"layout"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func version(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("version: unexpected %q", c.Args().First())
	}
	a := about{
		Version: "unknown", Layout: fmt.Sprintf("%d.%d", proto.VersionMajor, proto.VersionMinor),
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		a.Version = info.Main.Version
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				a.Revision = s.Value
			case "vcs.modified":
				a.Modified = s.Value == "true"
			}
		}
	}
	if c.Bool("json") {
		return printJSON(c, a)
	}
	_, err := fmt.Fprintf(c.App.Writer, "ndring %s, layout and protocol %s, %s %s\n", a.Version, a.Layout, a.Go, a.Platform)
	return err
}
