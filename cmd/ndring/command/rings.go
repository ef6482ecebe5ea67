package command

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

// patternRunes make a name a pattern.
const patternRunes = "*?["

// inFlag names the rings that a command reads.
func inFlag() cli.Flag {
	return &cli.StringFlag{Name: "in", Usage: "rings to read, separated by commas; * and ? match the rings that exist at the start"}
}

// ringList is what lists with commas name, each ring or pattern once. What can match
// no ring is refused.
func ringList(lists ...string) ([]string, error) {
	var list []string
	for _, l := range lists {
		for _, part := range strings.Split(l, ",") {
			list = append(list, strings.TrimSpace(part))
		}
	}
	for _, part := range list {
		if err := checkPart(part); err != nil {
			return nil, err
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func checkPart(part string) error {
	if !isPattern(part) {
		return checkNames(part)
	}
	if strings.Contains(part, "/") {
		return usagef("pattern %q holds '/', no ring's name does; NDRING_DIR names the directory", part)
	}
	if _, err := path.Match(part, ""); err != nil {
		return usagef("pattern %q: %w; use *, ? and [a-z]", part, err)
	}
	return nil
}

func isPattern(part string) bool { return strings.ContainsAny(part, patternRunes) }

// checkNames refuses what can be no ring's name before anything is waited for.
func checkNames(names ...string) error {
	for _, name := range names {
		if err := proto.CheckName(name); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// resolve makes names of a list. A pattern is those rings that match it now, whether
// their writer lives or not, but for the ring except. Until there is one it waits, and
// tells for what; rings that are made later are none of it.
func resolve(c *cli.Context, list []string, except string, told func(what string)) ([]string, error) {
	var names []string
	for _, part := range list {
		if !isPattern(part) {
			names = append(names, part)
			continue
		}
		matched, err := awaitMatches(c, part, except, told)
		if err != nil {
			return nil, err
		}
		names = append(names, matched...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func awaitMatches(c *cli.Context, pattern, except string, told func(what string)) ([]string, error) {
	for first := true; ; first = false {
		names, err := matches(pattern, except)
		if err != nil || len(names) > 0 {
			return names, err
		}
		if first {
			told("a ring that matches " + pattern)
		}
		if err := pause(c.Context, lookInterval); err != nil {
			return nil, err
		}
	}
}

// matches are the rings of this moment that match, but for one.
func matches(pattern, except string) ([]string, error) {
	rings, err := ipc.List("")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, r := range rings {
		if ok, _ := path.Match(pattern, r.Name); ok && r.Name != except {
			names = append(names, r.Name)
		}
	}
	return names, nil
}
