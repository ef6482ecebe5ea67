package command

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a subcommand before its positional arguments, so
// that both "ndring consume x --count 3" and "ndring consume --count 3 x" work:
// the library stops looking for flags at the first argument and would drop the
// rest silently. "--" ends the flags; what follows is none of them.
func flagsFirst(commands []*cli.Command, args []string) ([]string, error) {
	if len(args) < 2 {
		return args, nil
	}
	if args[1] == "--version" {
		return append([]string{args[0], "version"}, args[2:]...), nil
	}
	cmd := find(commands, args[1])
	if cmd == nil || cmd.SkipFlagParsing {
		return args, nil
	}
	flags, rest := []string{}, []string{}
	for i := 2; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			flags, rest = append(flags, arg), append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' || isNumber(arg) {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		if takesValue(cmd, arg) {
			if i+1 == len(args) {
				return nil, usagef("flag %s needs a value", arg)
			}
			i++
			flags = append(flags, args[i])
		}
	}
	return append(append(append([]string{}, args[:2]...), flags...), rest...), nil
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesValue reports whether arg is a flag of cmd whose value is the next argument.
func takesValue(cmd *cli.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range cmd.Flags {
		for _, n := range f.Names() {
			if n == name {
				_, isBool := f.(*cli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}

// isNumber tells a negative number from a flag.
func isNumber(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && (arg[1] >= '0' && arg[1] <= '9' || arg[1] == '.')
}

// ringName is the one positional argument of a command that works on a ring.
func ringName(c *cli.Context) (string, error) {
	switch c.NArg() {
	case 1:
		return c.Args().First(), nil
	case 0:
		return "", usagef("%s: name the ring, as in 'ndring %s x'", c.Command.Name, c.Command.Name)
	}
	return "", usagef("%s: one ring name expected, got %q", c.Command.Name, c.Args().Slice())
}
